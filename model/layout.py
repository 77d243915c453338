"""A network of Keras layers, computed with channels first, as OpenVINO computes convolutions.

Keras puts channels last; on OpenVINO every layer would then turn its input and its output around, a quarter of
ResNet-50's time. Here pictures are turned once, at both ends.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import layers, ops, tree

Tensor = Any

# Layers that need be told where the channels are, and layers that do not mind.
_WITH_FORMAT = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.ZeroPadding2D,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
)
_WITH_AXIS = (layers.BatchNormalization, layers.Concatenate)
_BY_ELEMENT = (layers.Add, layers.Multiply, layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Dropout)
_ACTIVATIONS = {"linear", "relu", "relu6", "leaky_relu", "silu", "sigmoid", "hard_sigmoid", "hard_silu", "gelu", "tanh"}


def channels_first(network: keras.Model) -> Callable[[Tensor], Tensor]:
    """A function that computes what a functional or sequential `network` does: (B, H, W, 3) -> (B, h, w, C).

    Within, every tensor of four dimensions has its channels first. A layer that is not known to work like that gets
    its input, and gives its output, the other way round.
    """
    graph = getattr(network, "_functional", None) or network  # where a sequential network keeps its graph

    def compute(pixels: Tensor) -> Tensor:
        outputs = graph._run_through_graph(_turn(ops.cast(pixels, "float32"), first=True), _operation)
        return _turn(tree.flatten(outputs)[0], first=False)

    return compute


def _operation(layer: Any) -> Callable[..., Any]:
    """What to call in place of `layer`."""
    if _knows_both(layer):
        return lambda *args, **kwargs: _call_first(layer, *args, **kwargs)

    def other_way_round(*args: Any, **kwargs: Any) -> Any:
        given = tree.map_structure(lambda x: _turn(x, first=False), (args, kwargs))
        return tree.map_structure(lambda x: _turn(x, first=True), layer(*given[0], **given[1]))

    return other_way_round


def _knows_both(layer: Any) -> bool:
    """A softmax, and what a user may have written, look along the axis that was last when they were built."""
    if getattr(getattr(layer, "activation", None), "__name__", "linear") not in _ACTIVATIONS:
        return False
    if isinstance(layer, _WITH_AXIS):
        return layer.axis in (-1, 3) and len(tree.flatten(layer.input)[0].shape) == 4
    return isinstance(layer, _WITH_FORMAT + _BY_ELEMENT) and getattr(layer, "data_format", "") != "channels_first"


def _call_first(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """`call` rather than the layer itself, which would miss the channels where they were when it was built."""
    four = len(tree.flatten(args)[0].shape) == 4
    with _told(layer, "data_format", "channels_first"), _told(layer, "axis", 1):
        return layer.call(*args, **kwargs) if four else layer(*args, **kwargs)


@contextmanager
def _told(layer: Any, name: str, value: Any) -> Iterator[None]:
    if not hasattr(layer, name):
        yield
        return
    before = getattr(layer, name)
    setattr(layer, name, value)
    try:
        yield
    finally:
        setattr(layer, name, before)


def _turn(x: Any, first: bool) -> Any:
    if len(getattr(x, "shape", ())) != 4:
        return x
    return ops.transpose(x, (0, 3, 1, 2) if first else (0, 2, 3, 1))
