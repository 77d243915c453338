"""Photos to features, once: batches through the encoder into a memory-mapped cache that survives interruptions."""

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

from model.encoder import input_size
from model.errors import DatasetError, ImageError, RunError
from model.image import load_pixels

BATCH = 64


@dataclass(frozen=True)
class Features:
    """`grid` (photos, h, w, channels) float16, row by row as the photos came; `failed` maps rows to the reason."""

    grid: np.ndarray
    failed: dict[int, str]


def extract(encoder: keras.Model, photos: Sequence[Path], cache: Path) -> Features:
    """Features of every photo, from the cache where they are there already.

    A photo that cannot be decoded leaves a row of zeros and an entry in `failed`. Memory stays flat: pixels live for
    one batch, features on disk. Raises DatasetError if not a single photo could be read, RunError if the cache cannot
    be written.
    """
    folder = cache / cache_key(encoder, photos)
    grid = _open(folder / "features.npy", (len(photos), *encoder.output_shape[1:]))
    done, failed = _read_progress(folder / "progress.json")
    with tqdm(total=len(photos), initial=done, desc="features", unit="photo") as bar:
        for start in range(done, len(photos), BATCH):
            stop = min(start + BATCH, len(photos))
            rows, pixels = _read(photos, range(start, stop), input_size(encoder), failed)
            if rows:
                grid[rows] = encoder.predict_on_batch(pixels)
            grid.flush()
            _write_progress(folder / "progress.json", {"done": stop, "failed": failed})
            bar.update(stop - start)
    if len(failed) == len(photos):
        raise DatasetError(f"at least one photo must be readable; all {len(photos)} failed, the first: {failed.get(0)}")
    return Features(np.load(folder / "features.npy", mmap_mode="r"), failed)


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


def _read(
    photos: Sequence[Path], rows: range, size: tuple[int, int], failed: dict[int, str]
) -> tuple[list[int], np.ndarray]:
    good: dict[int, np.ndarray] = {}
    for row in rows:
        try:
            good[row] = load_pixels(photos[row], size)
        except ImageError as exc:
            failed[row] = str(exc)
    return list(good), np.stack(list(good.values())) if good else np.empty((0, *size, 3), np.uint8)


def _open(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """The cache as it was left, or a new one where there is none or it is damaged. Raises RunError on a full disk."""
    with suppress(OSError, ValueError):  # OSError: there is none; ValueError: it is shorter than its header says
        grid = np.lib.format.open_memmap(path, mode="r+")
        if grid.shape == shape:
            return grid
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name("progress.json").unlink(missing_ok=True)
        grid = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        if hasattr(os, "posix_fallocate"):  # a hole that finds no room later would kill the process (SIGBUS)
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        gigabytes = 2 * math.prod(shape) / 1e9
        raise RunError(
            f"the features of {shape[0]:,} photos need {gigabytes:.1f} GB in {path.parent} ({error.strerror}): make "
            "room, or name another folder with --work"
        ) from error
    return grid


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
