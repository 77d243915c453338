"""Many photos at once: found in folders, decoded ahead by threads, captioned in batches, in order."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.errors import ImageError, SettingsError
from model.image import format_of

if TYPE_CHECKING:
    from model.captioner import Caption, CaptionGenerator

    Outcome = tuple[Path, tuple[Caption, ...] | ImageError]

BATCH = 16
_AHEAD = 2 * BATCH  # photos decoded before their turn: 150 kB each
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}


def find_photos(places: Iterable[Path], recursive: bool) -> list[Path]:
    """Files as they are named; of a folder what looks like a photo by name or by content, sorted, no hidden files.

    Raises SettingsError for a folder that cannot be read.
    """
    return list(chain.from_iterable(_in_folder(place, recursive) if place.is_dir() else [place] for place in places))


def caption_photos(
    captioner: "CaptionGenerator", photos: Iterable[Path], num_captions: int, beam_width: int
) -> Iterator["Outcome"]:
    """Each photo with its captions, best first, or with the reason why it has none."""
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1), "decode") as pool:
        waiting: deque[tuple[Path, Future[np.ndarray | ImageError]]] = deque()
        rest = iter(photos)
        try:
            while True:
                for photo in islice(rest, _AHEAD - len(waiting)):
                    waiting.append((photo, pool.submit(_read, captioner, photo)))
                if not waiting:
                    return
                batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
                yield from _caption(captioner, batch, num_captions, beam_width)
        finally:
            pool.shutdown(cancel_futures=True)


def _caption(
    captioner: "CaptionGenerator",
    batch: list[tuple[Path, "Future[np.ndarray | ImageError]"]],
    num_captions: int,
    beam_width: int,
) -> Iterator["Outcome"]:
    read = [(photo, future.result()) for photo, future in batch]
    pixels = [found for _, found in read if not isinstance(found, ImageError)]
    results = iter(captioner.generate(pixels, num_captions, beam_width))
    for photo, found in read:
        yield photo, found if isinstance(found, ImageError) else next(results).captions


def _read(captioner: "CaptionGenerator", photo: Path) -> np.ndarray | ImageError:
    try:
        return captioner.read(photo)
    except ImageError as exc:
        return exc


def _in_folder(folder: Path, recursive: bool) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as exc:
        raise SettingsError(f"{folder} must be a folder that can be read ({exc.strerror}): leave it out") from exc
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if recursive and not path.is_symlink():  # a link may lead back here
                yield from _in_folder(path, recursive)
        elif path.suffix.lower() in _SUFFIXES or _is_photo(path):
            yield path


def _is_photo(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return path.is_file() and format_of(file.read(32)) is not None
    except OSError:
        return False
