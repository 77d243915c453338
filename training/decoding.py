"""Beam width and length penalty, chosen on the dev split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import keras
import numpy as np

from model.config import DecodingConfig
from model.decoder import Decoder
from model.encoder import input_size
from model.generation import Generator
from model.search import Hypothesis, score
from model.tokenizer import Tokenizer
from training.datasets import Photo
from training.features import Grids, encode
from training.metrics import quick_photo_ciders
from training.options import TrainingOptions

_WIDTHS = (3, 5, 8, 12)  # the page shows three captions; beyond twelve nothing was gained
_REPETITION = (0.0, 2.0)
_LENGTH = (0.0, 0.3, 0.5, 0.7, 0.9, 1.1)
_NOISE = 0.003  # a wider beam costs time, so it has to gain more than this
_BATCH = 64


@dataclass(frozen=True)
class Chosen:
    """A search, the CIDEr of each dev photo (photos,), and what it found for each, best first."""

    decoding: DecodingConfig
    ciders: np.ndarray
    found: list[list[Hypothesis]]

    @property
    def cider(self) -> float:
        """Of all dev photos."""
        return float(self.ciders.mean())


def choose_decoding(
    encoder: keras.Model,
    decoder: Decoder,
    tokenizer: Tokenizer,
    photos: Sequence[Photo],
    options: TrainingOptions,
    known: DecodingConfig | None = None,
) -> Chosen:
    """The best search on dev of the narrowest width that reaches it; each that was tried is printed.

    `known` is the search of the artifact that the training began from: it is kept unless the gain is surely more than
    chance. The length penalty only ranks what a search has found, so one search serves all of them.
    """
    features = encode(encoder, [photo.path for photo in photos], input_size(encoder))
    references, generator = {p.name: p.captions for p in photos}, Generator(decoder)
    grid: dict[DecodingConfig, set[float]] = {
        DecodingConfig(width, 0.0, options.max_words, repetition): set(_LENGTH)
        for width, repetition in product(_WIDTHS, _REPETITION)
    }
    if known is not None:
        known = replace(known, max_words=options.max_words)
        grid.setdefault(replace(known, length_penalty=0.0), set()).add(known.length_penalty)
    tried = []
    for base, lengths in grid.items():
        found = search_in_batches(generator, features, base)
        for length in sorted(lengths):
            decoding = replace(base, length_penalty=length)
            ranked = [_ranked(hypotheses, decoding) for hypotheses in found]
            captions = {p.name: tokenizer.decode(r[0].ids) for p, r in zip(photos, ranked, strict=True)}
            ciders = quick_photo_ciders(references, captions)
            tried.append(Chosen(decoding, np.array([ciders[photo.name] for photo in photos]), ranked))
            print(_line(tried[-1]), flush=True)
    return best_of(tried, known)


def best_of(tried: Sequence[Chosen], known: DecodingConfig | None = None) -> Chosen:
    """`known` if nothing that was tried is surely better; else the narrowest of what is near the best."""
    best = max(tried, key=lambda chosen: chosen.cider)
    for chosen in tried:
        if chosen.decoding == known and not _surely_better(best.ciders - chosen.ciders):
            return chosen
    near = [chosen for chosen in tried if chosen.cider >= best.cider - _NOISE]
    narrowest = min(chosen.decoding.beam_width for chosen in near)
    return max((c for c in near if c.decoding.beam_width == narrowest), key=lambda chosen: chosen.cider)


def _surely_better(gains: np.ndarray) -> bool:
    """Whether the mean gain of a photo is more than two standard errors above nothing; one photo cannot tell."""
    return len(gains) > 1 and float(gains.mean()) > max(_NOISE, 2 * float(gains.std(ddof=1)) / len(gains) ** 0.5)


def _line(chosen: Chosen) -> str:
    decoding = chosen.decoding
    return (
        f"dev CIDEr {100 * chosen.cider:.1f}  beam width {decoding.beam_width}, length penalty "
        f"{decoding.length_penalty}, repetition penalty {decoding.repetition_penalty}"
    )


def search_in_batches(generator: Generator, features: Grids, decoding: DecodingConfig) -> list[list[Hypothesis]]:
    """The hypotheses of every row of features, best first, a bounded number of rows at a time."""
    starts = range(0, len(features), _BATCH)
    return [found for start in starts for found in generator.search(features[start : start + _BATCH], decoding)]


def _ranked(found: list[Hypothesis], decoding: DecodingConfig) -> list[Hypothesis]:
    rescored = [replace(h, score=score(h.ids, h.log_probability, decoding)) for h in found]
    return sorted(rescored, key=lambda hypothesis: -hypothesis.score)
