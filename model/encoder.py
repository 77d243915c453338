"""The encoder: a Keras CNN from RGB pixels to a grid of features, preprocessing inside.

Contract: float pixels 0–255 `(batch, height, width, 3)` in, feature grid `(batch, h, w, channels)` out. Whoever feeds
it stretches photos to `input_size(encoder)` and does nothing else, so training and serving cannot drift apart.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from model.errors import EncoderError

# Networks of the Caffe days want the mean of ImageNet's photos subtracted, and blue first.
_RGB_MEANS = (123.68, 116.779, 103.939)


def _caffe(pixels: Any) -> Any:
    centred = layers.Normalization(mean=_RGB_MEANS, variance=(1.0, 1.0, 1.0), name="subtract_means")(pixels)
    swap = layers.Conv2D(3, 1, use_bias=False, trainable=False, name="rgb_to_bgr")
    swapped = swap(centred)
    swap.set_weights([np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3)])
    return swapped


def _from_minus_one_to_one(pixels: Any) -> Any:
    return layers.Rescaling(1 / 127.5, -1.0, name="rescale")(pixels)


@dataclass(frozen=True)
class _Stock:
    """A network of `keras.applications`: its builder there, the pixels it was trained on, the file of its weights."""

    builder: str
    side: int
    preprocess: Callable[[Any], Any]
    file: str

    def build(self, **options: Any) -> keras.Model:
        """Without its top, to a grid."""
        network: keras.Model = getattr(keras.applications, self.builder)(include_top=False, **options)
        return network


_OFFICIAL = "_weights_tf_dim_ordering_tf_kernels_notop.h5"
_STOCK = {
    "resnet50": _Stock("ResNet50", 224, _caffe, "resnet50" + _OFFICIAL),
    "vgg16": _Stock("VGG16", 224, _caffe, "vgg16" + _OFFICIAL),
    "inceptionv3": _Stock("InceptionV3", 299, _from_minus_one_to_one, "inception_v3" + _OFFICIAL),
}
NAMES = tuple(_STOCK)
_NO_DOWNLOAD = (
    "the ImageNet weights of {name} could not be downloaded: connect to the internet once, or fetch "
    "{file} elsewhere and pass it as --encoder-weights FILE, or pass a whole network as --encoder FILE.keras"
)
_BAD_WEIGHTS = (
    "--encoder-weights wants {name} without its top, as keras.applications publishes it ({file}); {weights} does not "
    "fit: fetch that file, or name the --encoder that these weights belong to"
)


def build_encoder(name: str = "resnet50", weights: str | Path | None = None) -> keras.Model:
    """A named network of `keras.applications`, or the file `name` if it ends in `.keras`.

    `weights` is a file in the official layout of `keras.applications` (`*_notop.h5`); without it Keras downloads
    ImageNet's. Raises EncoderError if neither can be had or if the network breaks the contract.
    """
    if name in NAMES:
        return _from_applications(name, weights)
    if not name.endswith(".keras"):
        raise EncoderError(f"--encoder must be one of {', '.join(NAMES)} or a file that ends in .keras, not {name!r}")
    if weights is not None:
        raise EncoderError(
            f"--encoder-weights goes with a named encoder; {name} brings its own weights, so leave it out"
        )
    return check_contract(_from_file(Path(name)))


def check_contract(encoder: keras.Model) -> keras.Model:
    """Return `encoder` if it keeps the contract, else raise EncoderError."""
    inputs, outputs = encoder.input_shape, encoder.output_shape
    if not (isinstance(inputs, tuple) and len(inputs) == 4 and inputs[3] == 3 and None not in inputs[1:]):
        raise EncoderError(f"an encoder takes (batch, height, width, 3); {encoder.name} takes {inputs}")
    if not (isinstance(outputs, tuple) and len(outputs) == 4 and None not in outputs[1:]):
        raise EncoderError(
            f"an encoder gives a grid (batch, h, w, channels); {encoder.name} gives {outputs}: "
            "save it without its pooling and classification layers"
        )
    return encoder


def input_size(encoder: keras.Model) -> tuple[int, int]:
    """(height, width) of the pixels that the encoder wants."""
    return encoder.input_shape[1], encoder.input_shape[2]


def rebuild(encoder: keras.Model, *, any_size: bool = False, dtype: str | None = None) -> keras.Model:
    """The same network and weights for pixels of any size, or with other arithmetic (`mixed_bfloat16`)."""
    config = encoder.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "InputLayer" and any_size:
            layer["config"]["batch_shape"] = (None, None, None, 3)
        elif dtype is not None and layer["class_name"] != "InputLayer":
            layer["config"]["dtype"] = dtype
        layer.pop("build_config", None)
    copy = type(encoder).from_config(config)
    copy.set_weights(encoder.get_weights())
    return copy


def freeze_batch_norm(encoder: keras.Model) -> None:
    """Keep every BatchNormalization in inference mode: small batches would ruin its statistics."""
    for layer in encoder.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def _from_file(path: Path) -> keras.Model:
    if not path.is_file():
        raise EncoderError(f"--encoder names a .keras file; {path} does not exist")
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError, json.JSONDecodeError) as exc:
        raise EncoderError(
            f"an encoder is a Keras 3 file of built-in layers; {path} could not be loaded: save it with model.save"
        ) from exc


def _from_applications(name: str, weights: str | Path | None) -> keras.Model:
    """A stock network with its preprocessing in front, as one flat network."""
    stock, trained = _STOCK[name], _trained(name, weights)
    pixels = keras.Input(trained.input_shape[1:], name="rgb")
    network = stock.build(weights=None, input_tensor=stock.preprocess(pixels))
    # By place, since Keras numbers InceptionV3's layers anew each time; what lies in front has no fellow.
    for old, new in zip(reversed(trained.layers[1:]), reversed(network.layers), strict=False):
        new.set_weights(old.get_weights())
    return check_contract(keras.Model(pixels, network.output, name=name))


def _trained(name: str, weights: str | Path | None) -> keras.Model:
    stock = _STOCK[name]
    if weights is not None and not Path(weights).is_file():
        raise EncoderError(f"--encoder-weights must name a file; {weights} does not exist")
    try:
        return stock.build(weights=weights or "imagenet", input_shape=(stock.side, stock.side, 3))
    except Exception as exc:  # a bare Exception is what Keras raises when a download fails
        message = _NO_DOWNLOAD if weights is None else _BAD_WEIGHTS
        raise EncoderError(message.format(name=name, file=stock.file, weights=weights)) from exc
