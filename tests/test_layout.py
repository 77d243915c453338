"""Channels first or last: the same numbers."""

import keras
import numpy as np
import pytest
from keras import layers

from model.layout import channels_first


def residual() -> keras.Model:
    """Everything that ResNets and their kin are made of."""
    pixels = keras.Input((24, 20, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pixels)
    x = layers.Normalization(mean=(0.1, 0.2, 0.3), variance=(1.0, 2.0, 3.0))(x)
    x = layers.ZeroPadding2D(((1, 2), (3, 0)))(x)
    x = start = layers.Conv2D(6, 3, 2, activation="relu")(x)
    x = layers.BatchNormalization(axis=3)(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Activation("silu")(x)
    x = layers.Add()([layers.Conv2D(6, 1)(x), start])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    return keras.Model(pixels, layers.Dropout(0.5)(x))


def squeezed() -> keras.Model:
    """Layers that look along the last axis, leave the grid, and come back to it."""
    pixels = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 4, 4, activation="softmax")(pixels)
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(gate)])
    x = layers.LayerNormalization()(x) + np.arange(8, dtype=np.float32)
    x = layers.Dense(5)(layers.Activation("softmax")(x))
    return keras.Model(pixels, x)


def branched() -> keras.Model:
    """A block of Inception: branches that meet again in their channels, padded pooling, long and wide kernels."""
    pixels = keras.Input((16, 12, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pixels)
    x = layers.Conv2D(4, 3, 2, use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization(axis=3, scale=False)(x))
    wide = layers.Conv2D(5, (1, 7), padding="same")(layers.Conv2D(3, (7, 1), padding="same")(x))
    pooled = layers.Conv2D(2, 1)(layers.AveragePooling2D(3, 1, padding="same")(x))
    x = layers.Concatenate(axis=3)([wide, pooled, layers.MaxPooling2D(3, 1, padding="same")(x)])
    return keras.Model(pixels, layers.Concatenate(axis=-1)([x, x]))


def sequential() -> keras.Model:
    return keras.Sequential([keras.Input((12, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()])


@pytest.mark.parametrize("build", [residual, squeezed, branched, sequential])
def test_channels_first_computes_what_the_network_does(build: object) -> None:
    keras.utils.set_random_seed(0)
    network = build()  # type: ignore[operator]
    random = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    pixels = random.integers(0, 256, (2, *network.input_shape[1:])).astype(np.uint8)
    expected = network.predict_on_batch(pixels)
    found = keras.ops.convert_to_numpy(channels_first(network)(pixels))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(network.predict_on_batch(pixels), expected)  # the network is as it was
