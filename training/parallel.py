"""Training on several devices at once, by `keras.distribution` on JAX: each takes its share of every batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from model.errors import SettingsError


def devices(wanted: bool) -> int:
    """Among how many devices the batches of a training are split. Raises SettingsError on another backend than JAX."""
    if not wanted:
        return 1
    if keras.backend.backend() != "jax":
        raise SettingsError(
            f"--data-parallel runs on JAX, not on {keras.backend.backend()}: pip install jax, and set KERAS_BACKEND=jax"
        )
    return len(keras.distribution.list_devices())


@contextmanager
def split_among(count: int) -> Iterator[None]:
    """Networks made within, and there alone, are trained on `count` devices; with one, nothing is done."""
    with _distribution(keras.distribution.DataParallel(auto_shard_dataset=False) if count > 1 else None):
        yield


@contextmanager
def on_one() -> Iterator[None]:
    """What is computed within is not split: a batch may have any length."""
    with _distribution(None):
        yield


@contextmanager
def _distribution(wanted: object) -> Iterator[None]:
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(wanted)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
