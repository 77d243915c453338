"""Photos to features, once: batches through the encoder into a file on disk that survives interruptions."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from model.errors import DatasetError, RunError
from model.image import load_pixels
from training.extractor import Engine, here

BATCH = 64


class GridFile:
    """Some rows of a features file, read when they are asked for: memory holds what one index gives, and no more."""

    def __init__(self, path: Path, rows: Sequence[int]) -> None:
        self._path, self._rows = path, np.asarray(rows, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        """(rows, h, w, channels) float16, whatever picks several rows of an array."""
        # Mapped for a moment: pages stay in the system's cache, which it can take back, and count as nobody's memory.
        return np.load(self._path, mmap_mode="r")[self._rows[index]]


Grids = np.ndarray | GridFile


@dataclass(frozen=True)
class Cached:
    """The features of all photos in a file, and why some `failed`: row -> reason. Their rows are zeros."""

    path: Path
    photos: int
    failed: dict[int, str]

    def readable(self) -> list[int]:
        """The rows that hold features."""
        return [row for row in range(self.photos) if row not in self.failed]

    @property
    def grid(self) -> GridFile:
        """The features of the readable photos."""
        return GridFile(self.path, self.readable())


def extract(encoder: keras.Model, photos: Sequence[Path], cache: Path, engine: Engine = here) -> Cached:
    """Features of every photo, from the cache where they are there already, else computed by `engine`.

    A photo that cannot be decoded leaves a row of zeros and an entry in `failed`. Memory stays flat: pixels live for
    one batch, features on disk. Raises DatasetError if not a single photo could be read, RunError if the cache cannot
    be written.
    """
    folder = cache / cache_key(encoder, photos)
    path = folder / "features.npy"
    _prepare(path, (len(photos), *encoder.output_shape[1:]))
    done, failed = _read_progress(folder / "progress.json")
    batches = [photos[start : start + BATCH] for start in range(done, len(photos), BATCH)]
    with tqdm(total=len(photos), initial=done, desc="features", unit="photo") as bar:
        for found in engine(encoder, batches) if batches else ():
            grid = np.lib.format.open_memmap(path, mode="r+")  # anew each time, for the reason that GridFile gives
            grid[done : done + len(found.grid)] = found.grid
            grid.flush()
            failed |= {done + row: reason for row, reason in found.failed.items()}
            done += len(found.grid)
            _write_progress(folder / "progress.json", {"done": done, "failed": failed})
            bar.update(len(found.grid))
    if len(failed) == len(photos):
        raise DatasetError(f"at least one photo must be readable; all {len(photos)} failed, the first: {failed.get(0)}")
    return Cached(path, len(photos), failed)


def cache_key(encoder: keras.Model, photos: Sequence[Path]) -> str:
    """Changes with the network, its weights, and the photos' names, sizes and times of change."""
    digest = hashlib.sha256(encoder.to_json().encode())
    for weight in encoder.get_weights():
        digest.update(np.ascontiguousarray(weight).data)
    for path in photos:
        try:
            stat = path.stat()
            digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        except OSError:  # gone since the folder was listed; whoever reads it will say so
            digest.update(f"{path.name} missing\n".encode())
    return digest.hexdigest()[:16]


def encode(encoder: keras.Model, photos: Sequence[Path], size: tuple[int, int]) -> np.ndarray:
    """Features (photos, h, w, channels) float16 of readable photos, few enough to hold in memory."""
    batches = (photos[start : start + BATCH] for start in range(0, len(photos), BATCH))
    return np.concatenate(
        [np.asarray(encoder.predict_on_batch(read_pixels(batch, size)), np.float16) for batch in batches]
    )


def read_pixels(photos: Sequence[Path], size: tuple[int, int]) -> np.ndarray:
    """Readable photos -> (photos, height, width, 3) uint8."""
    return np.stack([load_pixels(path, size) for path in photos])


def _prepare(path: Path, shape: tuple[int, ...]) -> None:
    """Leave the file as it is; make a new one where there is none or it is damaged. Raises RunError on a full disk."""
    with suppress(OSError, EOFError, ValueError):  # there is none, it is empty, it is shorter than its header says
        if np.load(path, mmap_mode="r").shape == shape:
            return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name("progress.json").unlink(missing_ok=True)
        np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        if hasattr(os, "posix_fallocate"):  # a hole that finds no room later would kill the process (SIGBUS)
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        with suppress(OSError):  # where its folder could not be made, there is none
            path.unlink()
        gigabytes = 2 * math.prod(shape) / 1e9
        raise RunError(
            f"the features of {shape[0]:,} photos need {gigabytes:.1f} GB in {path.parent} ({error.strerror}): make "
            "room, or name another folder with --work"
        ) from error


def _read_progress(path: Path) -> tuple[int, dict[int, str]]:
    try:
        progress = json.loads(path.read_text())
        return progress["done"], {int(row): reason for row, reason in progress["failed"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):  # none, or damaged: all is computed anew
        return 0, {}


def _write_progress(path: Path, progress: dict[str, Any]) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(progress))
    aside.replace(path)
