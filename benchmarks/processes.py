"""Starts what is measured, and listens to it."""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT


def measure(way: str, artifacts: Path, photos: Path, precision: str = "fastest", backend: str = "") -> dict[str, Any]:
    """The figures of one process of `benchmarks/measure.py`, and the `seconds` from its start to its first line.

    Without `backend` it computes on what serving chooses.
    """
    command = [sys.executable, "-m", "benchmarks.measure", way, "--artifacts", artifacts.resolve(), "--photos", photos]
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*map(str, command), "--precision", precision],
            cwd=ROOT,
            env=environment | ({"KERAS_BACKEND": backend} if backend else {}),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        output = process.stdout or io.StringIO()
        line = output.readline()
        figures: dict[str, Any] = {"seconds": time.perf_counter() - started}
        rest = output.read()  # not `communicate`, which overlooks what came together with the first line
        if process.wait() != 0:
            errors.seek(0)
            raise SystemExit(f"{way} ended with {process.returncode}:\n{errors.read()}")
    for each in (line, *rest.splitlines()):
        figures |= json.loads(each)
    return figures
