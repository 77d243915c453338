"""What each step of the way gave: one table of several artifacts, measured alike.

    python training/ablation.py --dataset DIR --readme README.md "pooled merge=runs/merge" "attention=runs/attention" …

Each NAME=FOLDER is an artifact that `training/train.py` wrote, the released one last. Each is scored on dev, its
parameters are counted, and captions of single photos are timed, so let nothing else compute meanwhile. A stage is
written to `artifacts/ablation.json` as soon as it is measured, in place of an earlier one of its name; without stages
the command only writes the README's table anew. Test scores are not measured here: the table takes the last stage's
from its own `metrics.json`, where the release wrote them.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.errors import ArtifactError, CaptionerError, DatasetError, SettingsError
from model.quiet import quiet_import
from training.results import read_config, read_metrics, replace_between_markers, replace_file, to_json
from training.tables import markdown

if TYPE_CHECKING:
    from model.captioner import CaptionGenerator
    from training.datasets import Dataset

FILE = "ablation.json"
_SPLIT = "dev"
_SHOWN = ("BLEU-4", "METEOR", "ROUGE-L", "CIDEr")
_WEIGHTS = {"encoder": "encoder.npz", "decoder": "decoder.npz"}


@dataclass(frozen=True)
class Stage:
    """An artifact, and what the table calls it."""

    name: str
    folder: Path


def stage(text: str) -> Stage:
    """NAME=FOLDER from the command line."""
    name, _, folder = text.partition("=")
    if not (name.strip() and folder):
        raise argparse.ArgumentTypeError(f"a stage is NAME=FOLDER, not {text!r}")
    return Stage(name.strip(), Path(folder))


def measure(one: Stage, dataset: "Dataset", timed: int, batch_size: int) -> dict[str, Any]:
    """Dev scores, parameters and milliseconds a photo of one artifact. Raises CaptionerError."""
    with quiet_import():
        from model.captioner import CaptionGenerator
    from training.evaluate import evaluate_split

    config = read_config(one.folder)
    captioner = CaptionGenerator.load(one.folder)
    outcome = evaluate_split(captioner, dataset, _SPLIT, captioner.beam_width, batch_size, config.get("decoding"))
    paths = [photo.path for photo in dataset.splits[_SPLIT][:timed]]
    return {
        "name": one.name,
        "artifact": {key: config.get(key) for key in ("name", "version")},
        "command": (config.get("training") or {}).get("command"),
        "parameters": {part: count_parameters(one.folder / file) for part, file in _WEIGHTS.items()},
        "milliseconds": round(milliseconds(captioner, paths), 1),
        "cores": available_cores(),
        _SPLIT: outcome.entry,
        "test": read_metrics(one.folder).get("test"),
    }


def count_parameters(weights: Path) -> int:
    """Numbers in a file of weights, those that no training changes among them."""
    import numpy as np

    with np.load(weights, allow_pickle=False) as arrays:
        return sum(arrays[name].size for name in arrays.files)


def milliseconds(captioner: "CaptionGenerator", paths: Sequence[Path]) -> float:
    """The median time from a file to its caption, one photo at a time, after a first one that does not count."""
    from time import perf_counter

    captioner.generate([paths[0]])
    times = []
    for path in paths:
        started = perf_counter()
        captioner.generate([path])
        times.append(perf_counter() - started)
    return 1000 * statistics.median(times)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_stages(path: Path) -> list[dict[str, Any]]:
    """The stages measured so far, none if the file does not exist. Raises ArtifactError if it is damaged."""
    if not path.exists():
        return []
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["stages"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} must hold an ablation ({error!r}): delete it and measure anew") from error


def add_stage(stages: Sequence[Mapping[str, Any]], new: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """In the place of the stage that has its name, or at the end."""
    names = [old["name"] for old in stages]
    if new["name"] not in names:
        return [*stages, new]
    return [new if name == new["name"] else old for name, old in zip(names, stages, strict=True)]


def table(stages: Sequence[Mapping[str, Any]]) -> str:
    """The stages in Markdown; scores ×100, test for the last one only."""
    header = ["step", *_SHOWN, "words used", "parameters", "ms a photo"]
    lines = [_line(one["name"], one[_SPLIT], one) for one in stages]
    if tested := stages[-1].get("test"):
        lines.append(_line(f"{stages[-1]['name']}, **test**", tested, None))
    photos, cores = stages[-1][_SPLIT]["photos"], stages[-1]["cores"]
    about = (
        f"What each step gave, on {photos:,} dev photos: scores ×100, parameters in millions, the median time of a"
        f" caption, one photo at a time, from file to sentence (CPU cores: {cores}). Test is scored for the released"
        " model alone."
    )
    return f"{about}\n\n{markdown(header, lines)}"


def _line(name: str, entry: Mapping[str, Any], costs: Mapping[str, Any] | None) -> list[str]:
    scores = [f"{100 * entry[metric]:.1f}" if metric in entry else "–" for metric in _SHOWN]
    words = (entry.get("fluency") or {}).get("distinct_words")
    if costs is None:
        return [name, *scores, _whole(words), "", ""]
    size = sum(costs["parameters"].values()) / 1e6
    return [name, *scores, _whole(words), f"{size:.1f}", f"{costs['milliseconds']:.0f}"]


def _whole(number: float | None) -> str:
    return "–" if number is None else f"{number:.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. 2: it could not run, one line says why."""
    options = parse(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        run(options)
    except CaptionerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("stages", nargs="*", type=stage, metavar="NAME=FOLDER", help="artifacts in the order of the table")
    add("--dataset", type=Path, help="folder of photos and captions; needed where there are stages to measure")
    add("--output", type=Path, default=Path("artifacts") / FILE, help=f"default: artifacts/{FILE}")
    add("--readme", type=Path, help="also put the table between the ablation markers of this README")
    add("--timed", type=int, default=50, help="photos captioned one at a time for the timing (default: 50)")
    add("--batch-size", type=int, default=32, help="photos captioned at a time for the scores (default: 32)")
    options = parser.parse_args(arguments)
    if options.stages and not options.dataset:
        parser.error("--dataset DIR is missing: measuring a stage needs the photos of dev")
    if options.timed < 1 or options.batch_size < 1:
        parser.error("--timed and --batch-size must be at least 1")
    return options


def run(options: argparse.Namespace) -> None:
    """Measure the stages, write each down as it is done, then fill the README. Raises CaptionerError."""
    stages: Sequence[Mapping[str, Any]] = read_stages(options.output)
    for one in options.stages:
        _check(one)
    for one in options.stages:
        dataset = _dataset(one, options.dataset)
        print(f"{one.name}: {dataset.summary()}", flush=True)
        stages = add_stage(stages, measure(one, dataset, options.timed, options.batch_size))
        replace_file(options.output, to_json({"stages": stages}))
    if not stages:
        raise SettingsError(f"an ablation needs stages; {options.output} has none yet: name some as NAME=FOLDER")
    print(table(stages))
    if options.readme:
        replace_between_markers(options.readme, "ablation", table(stages))


def _check(one: Stage) -> None:
    """Before the first minute is spent on any of them."""
    from model.checksums import verify

    verify(one.folder)


def _dataset(one: Stage, root: Path) -> "Dataset":
    """With the splits that this stage was trained with."""
    from training.evaluate import load_as_trained

    dataset = load_as_trained(one.folder, root)
    if not dataset.splits.get(_SPLIT):
        raise DatasetError(f"an ablation is scored on {_SPLIT}; {root} has no such photos: name another --dataset")
    return dataset


if __name__ == "__main__":
    sys.exit(main())
