"""The curves of a training: from the logs of a run, or from what the artifact recorded of it."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.errors import DatasetError
from training.results import runs_of

History = dict[str, list[dict[str, float]]]  # by stage, in the order they ran; a row an epoch


def read_history(training: Mapping[str, Any], runs: Path | None = None) -> History:
    """Rows such as {"loss": 3.4, "dev_cider": 0.49} by stage; no stages where nothing was recorded.

    `training` is the record in an artifact's `config.json`; `runs`, a training's `--work` folder, stands above it.
    Raises DatasetError where that folder holds no logs.
    """
    if runs is None:
        return _recorded(training)
    logs = sorted(runs.glob("*.csv"), key=lambda log: log.stat().st_mtime)
    history = {log.stem: rows for log in logs if (rows := _read(log))}
    if not history:
        raise DatasetError(
            f"--runs must be a training's --work folder with its CSV logs; {runs} has none: leave it out"
        )
    return history


def _recorded(training: Mapping[str, Any]) -> History:
    """Of all runs that led to the artifact; a stage that comes again gets a number."""
    history: History = {}
    for run in runs_of(training):
        for stage, rows in (run.get("history") or {}).items():
            again = sum(name.split(" ")[0] == stage for name in history)
            if rows:
                history[f"{stage} {again + 1}" if again else stage] = [_numbers(row) for row in rows]
    return history


def _read(log: Path) -> list[dict[str, float]]:
    with log.open(newline="") as lines:
        return [_numbers(row) for row in csv.DictReader(lines)]


def _numbers(row: Mapping[Any, Any]) -> dict[str, float]:
    """Keras leaves "NA" in columns that it has no figure for."""
    values = {}
    for name, value in row.items():
        try:
            values[str(name)] = float(value)
        except (TypeError, ValueError):
            continue
    return values
