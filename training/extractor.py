"""A list of photos to features and errors: one pure function, for whichever machine calls it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from model.encoder import input_size
from model.errors import ImageError
from model.image import load_pixels


@dataclass(frozen=True)
class Features:
    """`grid` (photos, h, w, channels) float16, row by row as the photos came; `failed` maps rows to the reason."""

    grid: np.ndarray
    failed: dict[int, str]


# An encoder and batches of photos -> the features of each batch, in their order.
Engine = Callable[[keras.Model, Sequence[Sequence[Path]]], Iterable[Features]]


def features_of(encoder: keras.Model, photos: Sequence[Path]) -> Features:
    """Features of photos few enough to hold in memory; one that cannot be read leaves a row of zeros and a reason."""
    pixels: dict[int, np.ndarray] = {}
    failed: dict[int, str] = {}
    for row, path in enumerate(photos):
        try:
            pixels[row] = load_pixels(path, input_size(encoder))
        except ImageError as error:
            failed[row] = str(error)
    grid = np.zeros((len(photos), *encoder.output_shape[1:]), np.float16)
    if pixels:
        grid[list(pixels)] = encoder.predict_on_batch(np.stack(list(pixels.values())))
    return Features(grid, failed)


def here(encoder: keras.Model, batches: Sequence[Sequence[Path]]) -> Iterable[Features]:
    """One batch after the other, in this process."""
    return (features_of(encoder, photos) for photos in batches)


def engine_named(name: str) -> Engine:
    """The engine called "here" or "ray"; the options see to it that Ray is installed."""
    if name != "ray":
        return here
    from training.on_ray import on_ray

    return on_ray
