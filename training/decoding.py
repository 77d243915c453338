"""Beam width and length penalty, chosen on the dev split."""

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from model.config import DecodingConfig
from model.decoder import Decoder
from model.encoder import input_size
from model.generation import Generator
from model.search import Hypothesis, length_normalized
from model.tokenizer import Tokenizer
from training.datasets import Photo
from training.features import encode
from training.metrics import quick_cider
from training.options import TrainingOptions

_WIDTHS = (3, 5)  # the page shows three captions
_PENALTIES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.1)
_BATCH = 64


def choose_decoding(
    encoder: keras.Model,
    decoder: Decoder,
    tokenizer: Tokenizer,
    photos: Sequence[Photo],
    options: TrainingOptions,
) -> tuple[DecodingConfig, float]:
    """The options with the best dev CIDEr, and that CIDEr; every pair that was tried is printed.

    The penalty only ranks what a search has found, so one search a width serves all penalties.
    """
    features = encode(encoder, [photo.path for photo in photos], input_size(encoder))
    references, generator, tried = {p.name: p.captions for p in photos}, Generator(decoder), {}
    for width in _WIDTHS:
        decoding = DecodingConfig(width, 0.0, options.max_words)
        found = search_in_batches(generator, features, decoding)
        for penalty in _PENALTIES:
            captions = {p.name: tokenizer.decode(_best(f, penalty).ids) for p, f in zip(photos, found, strict=True)}
            tried[replace(decoding, length_penalty=penalty)] = score = quick_cider(references, captions)
            print(f"dev CIDEr {100 * score:.1f}  beam width {width}, length penalty {penalty}", flush=True)
    return max(tried.items(), key=lambda item: item[1])


def search_in_batches(generator: Generator, features: np.ndarray, decoding: DecodingConfig) -> list[list[Hypothesis]]:
    """The hypotheses of every row of features, best first, a bounded number of rows at a time."""
    starts = range(0, len(features), _BATCH)
    return [found for start in starts for found in generator.search(features[start : start + _BATCH], decoding)]


def _best(found: list[Hypothesis], penalty: float) -> Hypothesis:
    return max(found, key=lambda h: length_normalized(h.log_probability, len(h.ids), penalty))
