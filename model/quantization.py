"""Convolutions in eight bits, on OpenVINO: two thirds of the time that bfloat16 takes, a third of float32's.

What goes into a convolution is rounded to 256 steps between the least and the greatest number that the layer was given
when the encoder was calibrated (`training/calibration.py`), each output channel's weights to 255 steps around zero
(Krishnamoorthi 2018, *Quantizing deep convolutional networks for efficient inference*). The graph only says so:
OpenVINO computes with bytes where it can.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

Ranges = Mapping[str, Sequence[float]]  # name of a Conv2D -> the least and the greatest number of its input
Tensor = Any


@contextmanager
def rounded_convolutions(network: keras.Model, ranges: Ranges) -> Iterator[None]:
    """While a graph is made of `network`, its convolutions round what they are given, if its range is known."""
    layers = [layer for layer in network.layers if layer.name in ranges]
    for layer in layers:
        layer.convolution_op = _rounded(layer, *ranges[layer.name])
    try:
        yield
    finally:
        for layer in layers:
            del layer.convolution_op


def _rounded(layer: keras.layers.Conv2D, low: float, high: float) -> Callable[[Tensor, Tensor], Tensor]:
    convolve, weights = layer.convolution_op, np.abs(ops.convert_to_numpy(layer.kernel))
    reach = np.maximum(weights.max(axis=(0, 1, 2)), np.finfo(np.float32).tiny)  # of each output channel
    return lambda x, kernel: convolve(_round(x, low, high, 256), _round(kernel, -reach, reach, 255))


def _round(x: Tensor, low: float | np.ndarray, high: float | np.ndarray, levels: int) -> Tensor:
    from keras.src.backend.openvino.core import OpenVINOKerasTensor
    from openvino import opset16

    ends = [opset16.constant(np.asarray(end, np.float32)) for end in (low, high)]
    return OpenVINOKerasTensor(opset16.fake_quantize(ops.convert_to_tensor(x).output, *ends, *ends, levels).output(0))
