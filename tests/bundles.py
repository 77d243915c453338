"""A whole captioner that was never trained: enough wherever it matters how captions are told, not what they say."""

from dataclasses import replace
from typing import Any

import keras

from model.bundle import Bundle, build_decoder
from model.confidence import SIGNALS, Confidence
from model.config import BundleConfig, DecoderConfig, DecodingConfig
from model.tokenizer import Tokenizer

GRID, CHANNELS = (3, 2), 8
WORDS = ("a", "dog", "'s", "ball", "on", "the", "grass", "n't", "does", "run", "wet", "sand")
CONFIDENCE = Confidence((-1.0, 9.0, 3.0, -2.0, 0.5, -1.0), (1.0,) * len(SIGNALS), (0.7,) * len(SIGNALS), -0.3)


def untrained(confidence: Confidence | None = None, **decoder: Any) -> Bundle:
    """Six cells in three rows of two; captions of at most eight words."""
    keras.utils.set_random_seed(5)
    pixels = keras.Input((8 * GRID[0], 8 * GRID[1], 3), name="rgb")
    grid = keras.layers.Conv2D(CHANNELS, 8, 8, activation="relu")(keras.layers.Rescaling(1 / 60)(pixels))
    encoder = keras.Model(pixels, grid, name="tiny")
    tokenizer = Tokenizer(WORDS)
    sizes = DecoderConfig(len(tokenizer), CHANNELS, units=16, heads=4, **decoder)
    config = BundleConfig(
        "untrained", "0", {"name": "tiny", "grid": [*GRID, CHANNELS]}, sizes, DecodingConfig(4, 0.7, 8), {}
    )
    if confidence is not None:
        config = replace(config, confidence=confidence.to_dict())
    return Bundle(config, tokenizer, encoder, build_decoder(sizes))
