"""Tables of scores for the terminal, the model card and the README; figures ×100, as papers print them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from training.results import METRICS, ROUGE_N

# Flickr8k, official test split, as published; None where the source gives no figure. The first is the best
# run of "Where to put the image in an image caption generator", the second Lu et al.'s model of 2017.
_PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "merge LSTM, best run (Tanti et al. 2018)": (0.605, 0.415, 0.278, 0.185, 0.192, 0.442, 0.480),
    "adaptive attention, tuned ResNet-152, beam 5": (0.659, 0.480, 0.339, 0.235, 0.207, 0.476, 0.589),
    "a human caption against the other four": (0.647, 0.458, 0.314, 0.214, None, 0.495, 0.823),
}
PUBLISHED = {name: dict(zip(METRICS, values, strict=True)) for name, values in _PUBLISHED.items()}

FLUENCY = {
    "distinct_words": "different words used",
    "mean_words": "words a caption",
    "open_endings": "end in an article or preposition",
    "immediate_repeats": "a word follows itself",
    "repeated_pairs": "a pair of words occurs twice",
    "not_in_training": "are no training caption",
}

_TENTHS = {1: "lowest tenth", 10: "highest tenth"}


def plain_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Rows of scores by name, in columns for a terminal."""
    width = max(len(name) for name in rows)
    lines = [" " * width + "".join(f"{metric:>9}" for metric in METRICS)]
    for name, row in rows.items():
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>9}" for cell in score_cells(row)))
    return "\n".join(lines)


def markdown_table(rows: Mapping[str, Mapping[str, Any]], first: str = "") -> str:
    """The same rows in Markdown; `first` heads the column of names."""
    return markdown([first, *METRICS], [[name, *score_cells(row)] for name, row in rows.items()])


def fluency_table(metrics: Mapping[str, Any]) -> str:
    """How the captions of every split read beside people's own, in Markdown; empty where no split says."""
    header, lines = fluency_rows(metrics)
    return markdown(header, lines) if lines else ""


def fluency_rows(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of that table; people's figures stand beside those of the split they wrote."""
    columns: dict[str, Mapping[str, float]] = {}
    for split, entry in metrics.items():
        if entry.get("fluency"):
            columns[split] = entry["fluency"]
        if reads := (entry.get("people") or {}).get("fluency"):
            columns[f"people, {split}"] = reads
    lines = [[text, *(_fluency_cell(key, reads[key]) for reads in columns.values())] for key, text in FLUENCY.items()]
    return ["captions", *columns], lines if columns else []


def reliability_table(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Expected beside achieved quality by decile of the confidence, in Markdown, for each split that has one.

    `entries` are what `training.confidence.reliability` gives, by split.
    """
    if not entries:
        return ""
    notes = "\n".join(f"- {split}: {rank_note(entry)}" for split, entry in entries.items())
    return f"{markdown(*reliability_rows(entries))}\n\n{notes}"


def rank_note(entry: Mapping[str, Any]) -> str:
    """How well a confidence orders photos, beside the plain signal that it has to beat."""
    return (
        f"rank correlation with the photo's CIDEr {entry['rank_correlation']:.3f}"
        f" (of the mean log-probability: {entry['rank_correlation_of_log_probability']:.3f})"
    )


def reliability_rows(entries: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of that table."""
    header = ["confidence", *(f"{split}, {part}" for split in entries for part in ("expected", "achieved", "CIDEr"))]
    deciles = [[_decile_cells(row) for row in entry["deciles"]] for entry in entries.values()]
    lines = [
        [_TENTHS.get(number, str(number)), *(cell for cells in row for cell in cells)]
        for number, row in enumerate(zip_longest(*deciles, fillvalue=["–"] * 3), start=1)
    ]
    return header, lines


def describe(split: str, entry: Mapping[str, Any]) -> str:
    """What a row of scores stands for: split, photos, search, protocol, scores without a column, what people reach."""
    cider = (entry.get("people") or {}).get("CIDEr")
    fine = f", repetition penalty {entry['repetition_penalty']}" if entry.get("repetition_penalty") else ""
    more = "".join(f", {name} {100 * entry[name]:.1f}" for name in ROUGE_N if name in entry)
    people = "" if cider is None else f"; people, each against the others: CIDEr {100 * cider:.1f}"
    return (
        f"{split}: {entry['photos']:,} photos, beam {entry['beam_width']},"
        f" length penalty {entry.get('length_penalty', 'unknown')}{fine}, {entry['protocol']}{more}{people}"
    )


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, figures to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def score_cells(row: Mapping[str, Any]) -> list[str]:
    """A row of scores in the order of `METRICS`, a dash for what was not measured."""
    values = (row.get(metric) for metric in METRICS)
    return ["–" if value is None else f"{100 * value:.1f}" for value in values]


def _decile_cells(row: Mapping[str, float]) -> list[str]:
    return [f"{100 * row[key]:.0f} %" for key in ("expected", "achieved")] + [f"{100 * row['CIDEr']:.1f}"]


def _fluency_cell(key: str, value: float) -> str:
    if key == "distinct_words":
        return f"{value:.0f}"
    return f"{value:.1f}" if key == "mean_words" else f"{100 * value:.1f} %"
