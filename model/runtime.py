"""Turns a Keras computation into a fast callable on NumPy arrays; nobody else knows which runtime computes.

Serving computes on OpenVINO, which starts fast and has the quickest kernels for CPUs; where it is not installed, or
where Keras already runs on another backend (training does, on TensorFlow), on whatever Keras runs on.
"""

import ctypes
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal

import numpy as np

from model.processor import has_int8_units


class _Later(ModuleType):
    """Stands in for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        sys.modules.pop(self.__name__, None)
        return getattr(import_module(self.__name__), name)


if "keras" not in sys.modules and find_spec("openvino"):  # Keras asks once, when it is imported
    os.environ.setdefault("KERAS_BACKEND", "openvino")
    # A fifth of the start, for a function of Keras that no captioner calls.
    sys.modules.setdefault("scipy.signal", _Later("scipy.signal"))
# Imported, it tells Google Analytics of every start and writes an id into the home folder. OpenVINO does without.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

Arrays = Sequence[np.ndarray]
Function = Callable[..., Sequence[Any]]  # Keras tensors, one argument each -> tensors
Compiled = Callable[[Arrays], Arrays]
Ranges = Mapping[str, Sequence[float]]  # see model/quantization.py
Precision = Literal["fastest", "float32"]  # fastest: int8 and bfloat16 where the CPU has units for them


def compiled(owner: Any, function: Function, precision: Precision = "fastest", beams_in: int = 0) -> Compiled:
    """`function` computes with the weights of `owner`, a Keras network; compiled at the first call.

    All arguments have the photos on their first axis, the first `beams_in` the beams on their second; any number of
    either may come. What comes back takes and gives arrays. It is not safe for several threads at once.
    """
    if _on_openvino():
        return _OpenVINO(function, precision, beams_in)
    return _on_keras(owner, function)


def compiled_network(
    network: Any, precision: Precision = "fastest", ranges: Ranges | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """A network of one input and one output: pixels (B, H, W, 3) of any number type -> features (B, h, w, C).

    `ranges` are what its convolutions were given when it was calibrated; without them none is computed in int8.
    """
    if not _on_openvino():
        return lambda pixels: np.asarray(network.predict_on_batch(pixels))
    from model.layout import channels_first
    from model.quantization import rounded_convolutions

    compute, blank = channels_first(network), np.empty((1, *network.input_shape[1:]), np.uint8)
    in_bytes = precision == "fastest" and has_int8_units()
    with rounded_convolutions(network, ranges if ranges and in_bytes else {}):
        request = _compile(lambda pixels: [compute(pixels)], [[-1, *blank.shape[1:]]], [blank], precision)
    return lambda pixels: _infer(request, [pixels])[0]  # no more need of the network, nor of its weights


def give_memory_back() -> None:
    """To the system, which glibc does not do unasked: compiling a network takes copies of all its weights."""
    gc.collect()  # Keras networks are full of cycles
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def device() -> str:
    """Where Keras puts its tensors, on any of its backends: "gpu" or "cpu"."""
    import keras

    if _on_openvino():
        return "cpu"
    place = str(keras.ops.zeros(1).device).lower()
    return "gpu" if "gpu" in place or "cuda" in place else "cpu"


def _on_openvino() -> bool:
    import keras

    return str(keras.config.backend()) == "openvino"


def _on_keras(owner: Any, function: Function) -> Compiled:
    """`predict_on_batch` compiles once for a shape on every Keras backend, with none of `predict`'s loops."""
    import keras

    class Computation(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="computation")
            self.owner = owner

        def call(self, inputs: Any) -> Any:
            return function(*inputs)

    return Computation().predict_on_batch


class _OpenVINO:
    """A computation as an OpenVINO graph, compiled once: the numbers of photos and of beams are left open.

    Knowing them would make a step a tenth faster, and OpenVINO 2026.4 mixes up the axes of an attention in bfloat16
    where it knows the number of beams and that equals the number of heads.
    """

    def __init__(self, function: Function, precision: Precision, beams_in: int = 0) -> None:
        self._function, self._precision, self._beams_in = function, precision, beams_in
        self._request: Any = None

    def __call__(self, arrays: Arrays) -> Arrays:
        if self._request is None:
            shapes = [[-1, *array.shape[1:]] for array in arrays]
            for shape in shapes[: self._beams_in]:
                shape[1] = -1
            self._request = _compile(self._function, shapes, arrays, self._precision)
        return _infer(self._request, arrays)


def _infer(request: Any, arrays: Arrays) -> Arrays:
    return [*request.infer(arrays, share_inputs=True).values()]


def _compile(function: Function, shapes: list[list[int]], arrays: Arrays, precision: Precision) -> Any:
    """An inference request for `function` of arrays of such types and `shapes`; -1 stands for any size."""
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY"}
    if threads := os.environ.get("OMP_NUM_THREADS"):
        settings["INFERENCE_NUM_THREADS"] = threads
    if precision == "float32":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    graph = _trace(function, shapes, [openvino.Type(array.dtype) for array in arrays])
    return openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()


def _trace(function: Function, shapes: list[list[int]], types: list[Any]) -> Any:
    """Keras's OpenVINO backend adds a node to a graph for every operation: let it do so from parameters on."""
    import openvino.opset16 as operations
    from keras.src.backend.openvino.core import OpenVINOKerasTensor
    from openvino import Model

    parameters = [operations.parameter(shape=shape, dtype=number) for shape, number in zip(shapes, types, strict=True)]
    outputs = function(*(OpenVINOKerasTensor(parameter.output(0)) for parameter in parameters))
    return Model([operations.result(output.output) for output in outputs], parameters)
