"""What an evaluation leaves on disk: `metrics.json`, one entry a split, and the predictions beside it."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from model.errors import ArtifactError, SettingsError

METRICS_FILE = "metrics.json"
METRICS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr")  # the columns of the tables
ROUGE_N = ("ROUGE-1", "ROUGE-2")  # recorded and told as well; papers on captions have no column for them

_REMEDY = "restore it, or delete it and evaluate anew"

# Two machines add the same numbers in another order; a real change of the model moves more than this.
TOLERANCE = 0.002


def read_metrics(folder: Path) -> dict[str, Any]:
    """The entries of `metrics.json` by split, none if it does not exist. Raises ArtifactError if damaged."""
    path = folder / METRICS_FILE
    if not path.exists():
        return {}
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} must hold JSON: {_why(error)}: {_REMEDY}") from error
    if not isinstance(metrics, dict) or not all(isinstance(entry, dict) for entry in metrics.values()):
        raise ArtifactError(f"{path} must hold one object a split: {_REMEDY}")
    return metrics


def read_config(artifacts: Path) -> dict[str, Any]:
    """The artifact's `config.json`, unchecked but for being an object. Raises ArtifactError."""
    path = artifacts / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} must be readable: {_why(error)}: restore it, or train one") from error
    if not isinstance(config, dict):
        raise ArtifactError(f"{path} must hold a JSON object: restore it, or train one")
    return config


def runs_of(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The records of all runs that led to an artifact, the first one first.

    `training` is the record of the last, in its `config.json`; one that went on from an artifact holds that one's.
    """
    before = (training.get("init") or {}).get("training")
    return [*(runs_of(before) if before else []), training]


def total_minutes(training: Mapping[str, Any]) -> float:
    """How long all of these runs took together, as far as they recorded it."""
    return sum(float(run.get("minutes") or 0) for run in runs_of(training))


def _why(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def record(folder: Path, split: str, entry: Mapping[str, Any], predictions: Mapping[str, Any]) -> None:
    """Write the predictions of a split and its entry in `metrics.json`; the entries of other splits stay."""
    metrics = {**read_metrics(folder), split: dict(entry)}
    replace_file(folder / f"predictions-{split}.json", to_json(predictions))
    replace_file(folder / METRICS_FILE, to_json(metrics))


def differences(recorded: Mapping[str, Any], measured: Mapping[str, float], tolerance: float) -> list[str]:
    """A line for every score not within `tolerance` of the recorded one, or that only one side has."""
    names = [*measured, *(name for name in recorded if name not in measured)]
    return [
        f"{name}: recorded {_shown(recorded.get(name))}, measured {_shown(measured.get(name))}"
        for name in names
        if not _close(recorded.get(name), measured.get(name), tolerance)
    ]


def _close(recorded: float | None, measured: float | None, tolerance: float) -> bool:
    return recorded is not None and measured is not None and abs(recorded - measured) <= tolerance


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4f}"


def replace_between_markers(readme: Path, name: str, contents: str) -> None:
    """Put `contents` between the lines `<!-- NAME:begin -->` and `<!-- NAME:end -->` of a README; the rest stays.

    Raises SettingsError if the README lacks the markers.
    """
    first, last = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        text = readme.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SettingsError(f"--readme must be a text file: {error}") from error
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise SettingsError(f"{readme} must hold the lines {first} and {last}, in that order: put them in")
    replace_file(readme, f"{before}{first}\n{contents}\n{last}{after}")


def to_json(value: Mapping[str, Any]) -> str:
    """Readable JSON in a stable order of keys, a newline at its end."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def replace_file(path: Path, text: str) -> None:
    """Write aside, then rename: whoever reads `path` finds the old text or the new, never half of one.

    Raises ArtifactError where the folder cannot be written to.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(text, encoding="utf-8", newline="\n")
        aside.replace(path)
    except OSError as error:
        raise ArtifactError(f"{path} must be writable: {_why(error)}: name another folder") from error
    finally:
        with suppress(OSError):  # gone after the rename; a folder that never was holds nothing to remove
            aside.unlink()
