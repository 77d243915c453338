"""Turns a Keras computation into a fast callable on NumPy arrays; nobody else knows which runtime computes."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

Compiled = Callable[[Sequence[np.ndarray]], Any]


class _Computation(keras.Model):
    def __init__(self, owner: keras.Model, function: Callable[..., Any]) -> None:
        super().__init__(name="computation")
        self.owner, self.function = owner, function

    def call(self, inputs: Any) -> Any:
        return self.function(*inputs)


def compiled(owner: keras.Model, function: Callable[..., Any]) -> Compiled:
    """`function` is a computation with the weights of `owner`; it takes and gives arrays, one batch a call.

    `predict_on_batch` compiles once for a shape on every Keras backend, with none of `predict`'s loops.
    """
    return _Computation(owner, function).predict_on_batch


def device() -> str:
    """Where Keras puts its tensors, on any of its backends: "gpu" or "cpu"."""
    place = str(keras.ops.zeros(1).device).lower()
    return "gpu" if "gpu" in place or "cuda" in place else "cpu"
