"""A page to look at: scores, photos with their captions, where the network looked, curves, how far to believe it all.

`training/evaluate.py --report FILE.html` writes it. The page is whole in itself: pictures, charts and style are inside,
and nothing is loaded from a network.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from PIL import Image

from model.image import open_image
from training import charts
from training.card import CONFIDENCE
from training.history import History, read_history
from training.results import METRICS, replace_file, runs_of, total_minutes
from training.tables import (
    PUBLISHED,
    describe,
    fluency_rows,
    rank_note,
    reliability_rows,
    score_cells,
)

if TYPE_CHECKING:
    from model.captioner import Attention, Caption, CaptionGenerator
    from training.datasets import Dataset, Photo
    from training.evaluate import Outcome

_TEMPLATES = Path(__file__).parent / "templates"
_SHOWN = 4  # photos of each kind
_SIDE = 420  # pixels of the longer side of a photo on the page
_VEIL = 176  # how much of 255 covers what the network did not look at
_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)


@dataclass(frozen=True)
class Look:
    """A word of a caption, and the veil that leaves free what the network looked at (the URL of a PNG)."""

    word: str
    veil: str


@dataclass(frozen=True)
class Example:
    """One photo on the page; `picture` is the URL of a JPEG."""

    name: str
    picture: str
    width: int
    height: int
    caption: str
    cider: float
    confidence: float | None
    references: tuple[str, ...]
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class Gallery:
    """The photos of one split that the page shows, and how its captions are spread."""

    split: str
    about: str
    groups: dict[str, tuple[Example, ...]]
    spread: charts.Chart
    reliability: charts.Chart | None


@dataclass(frozen=True)
class Table:
    """A header, and lines of cells; the names of lines that are ours."""

    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    own: frozenset[str] = frozenset()


def write_report(
    path: Path,
    captioner: "CaptionGenerator",
    dataset: "Dataset",
    outcomes: Mapping[str, "Outcome"],
    config: Mapping[str, Any],
    runs: Path | None = None,
) -> None:
    """Write the page for the splits that were just evaluated.

    `config` is the artifact's; `runs` a training's `--work` folder, for the curves. Raises ArtifactError where the
    file cannot be written, DatasetError where `runs` holds no logs.
    """
    history = read_history(config.get("training") or {}, runs)
    galleries = [_gallery(captioner, dataset.splits[split], split, outcome) for split, outcome in outcomes.items()]
    replace_file(path, render(config, {split: o.entry for split, o in outcomes.items()}, galleries, history))


def render(
    config: Mapping[str, Any], metrics: Mapping[str, Any], galleries: Sequence[Gallery], history: History
) -> str:
    """The text of the page."""
    training = config.get("training") or {}
    rated = {split: entry["confidence"] for split, entry in metrics.items() if entry.get("confidence")}
    return (
        _environment()
        .get_template("report.html")
        .render(
            config=config,
            training=training,
            hours=total_minutes(training) / 60,
            commands=[run["command"] for run in runs_of(training) if run.get("command")],
            scores=_scores(metrics),
            notes=[describe(split, entry) for split, entry in metrics.items()],
            galleries=galleries,
            fluency=Table(*fluency_rows(metrics)),
            confidence=CONFIDENCE.replace("`confidence`", "Confidence") if rated else "",
            reliability=Table(*reliability_rows(rated)) if rated else None,
            rank_notes=[f"{split}: {rank_note(entry)}" for split, entry in rated.items()],
            curves=_curves(history),
        )
    )


def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def _scores(metrics: Mapping[str, Any]) -> Table:
    own = {f"this model, {split}": entry for split, entry in metrics.items()}
    lines = [[name, *score_cells(row)] for name, row in {**own, **PUBLISHED}.items()]
    return Table(["model", *METRICS], lines, frozenset(own))


def _gallery(captioner: "CaptionGenerator", photos: Sequence["Photo"], split: str, outcome: "Outcome") -> Gallery:
    by_name = {photo.name: photo for photo in photos}
    groups = choose_photos({name: said["CIDEr"] for name, said in outcome.predictions.items()})
    chosen = list(dict.fromkeys(name for names in groups.values() for name in names))
    captions = _caption_again(captioner, [by_name[name].path for name in chosen], outcome.entry["beam_width"])
    examples = {
        name: _example(by_name[name], caption, outcome.predictions[name]["CIDEr"])
        for name, caption in zip(chosen, captions, strict=True)
    }
    return Gallery(
        split,
        describe(split, outcome.entry),
        {kind: tuple(examples[name] for name in names) for kind, names in groups.items()},
        _spread(split, outcome),
        _reliability(split, outcome.entry.get("confidence")),
    )


def choose_photos(ciders: Mapping[str, float], count: int = _SHOWN) -> dict[str, list[str]]:
    """The names of the `count` best, median and worst photos; the best first in each, no photo twice."""
    names = sorted(ciders, key=lambda name: (-ciders[name], name))
    count = min(count, max(1, len(names) // 3))
    middle = max(count, (len(names) - count) // 2)
    groups = {
        "Best": names[:count],
        "Median": names[middle : middle + count],
        "Worst": names[middle + count :][-count:],
    }
    return {kind: chosen for kind, chosen in groups.items() if chosen}


def _caption_again(captioner: "CaptionGenerator", paths: list[Path], beam_width: int) -> list["Caption"]:
    """With attention, where there is any: a whole split with it would take longer, and is not shown."""
    attention = bool(captioner.info.get("attention"))
    return [result.captions[0] for result in captioner.generate(paths, 1, beam_width, attention=attention)]


def _example(photo: "Photo", caption: "Caption", cider: float) -> Example:
    picture = open_image(photo.path)
    picture.thumbnail((_SIDE, _SIDE))
    looks = _looks(caption.attention) if caption.attention else ()
    return Example(
        photo.name,
        _url(picture, "JPEG", quality=82),
        *picture.size,
        caption.text,
        cider,
        caption.confidence,
        photo.captions,
        looks,
    )


def _looks(attention: "Attention") -> tuple[Look, ...]:
    return tuple(Look(seen.word, veil(seen.weights.reshape(attention.grid))) for seen in attention.words)


def veil(weights: np.ndarray) -> str:
    """(rows, columns) of attention -> the URL of a black PNG, clear where it is highest, for laying over the photo."""
    rows, columns = weights.shape
    light = weights / max(float(weights.max()), 1e-12)
    shade = Image.fromarray(np.uint8(np.rint(_VEIL * (1 - light))))
    shade = shade.resize((4 * columns, 4 * rows), Image.Resampling.BICUBIC)
    black = Image.new("L", shade.size, 0)
    return _url(Image.merge("LA", (black, shade)), "PNG", optimize=True)


def _url(picture: Image.Image, form: str, **options: Any) -> str:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _spread(split: str, outcome: "Outcome") -> charts.Chart:
    series: dict[str, Sequence[float]] = {"own": [said["CIDEr"] for said in outcome.predictions.values()]}
    if outcome.people:
        series["people"] = outcome.people.ciders
    means = ", ".join(f"{_WHO[kind]} {100 * sum(row) / len(row):.1f}" for kind, row in series.items())
    return charts.histogram(
        f"How CIDEr is spread over the photos of {split}; on average {means}. The last bars hold all beyond.",
        series,
        _EDGES,
    )


_WHO = {"own": "this model", "people": "people"}


def _reliability(split: str, confidence: Mapping[str, Any] | None) -> charts.Chart | None:
    if not confidence:
        return None
    points = [(row["expected"], row["achieved"]) for row in confidence["deciles"]]
    text = f"Mean confidence and achieved quality of ten groups of {split} photos; on the dashed line both are equal."
    return charts.diagonal(text, points, "expected", "achieved")


def _curves(history: History) -> list[charts.Chart]:
    """Dev CIDEr over all stages, and the loss of each: losses of different stages measure different things."""
    ciders = [
        (stage, [100 * row["dev_cider"] for row in rows if "dev_cider" in row]) for stage, rows in history.items()
    ]
    losses = [(stage, [row["loss"] for row in rows if "loss" in row]) for stage, rows in history.items()]
    found = []
    if scored := [(stage, values) for stage, values in ciders if values]:
        text = f"Dev CIDEr by epoch, from {scored[0][1][0]:.1f} to {scored[-1][1][-1]:.1f}."
        found.append(charts.line_chart(text, "dev CIDEr, ×100", scored, "own"))
    for stage, values in losses:
        if values:
            text = f"Training loss of the stage “{stage}” by epoch, from {values[0]:.3g} to {values[-1]:.3g}."
            found.append(charts.line_chart(text, "training loss", [(stage, values)], "loss"))
    return found
