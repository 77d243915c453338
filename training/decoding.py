"""Beam width and length penalty, chosen on the dev split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import keras

from model.config import DecodingConfig
from model.decoder import Decoder
from model.encoder import input_size
from model.generation import Generator
from model.search import Hypothesis, score
from model.tokenizer import Tokenizer
from training.datasets import Photo
from training.features import Grids, encode
from training.metrics import quick_cider
from training.options import TrainingOptions

_WIDTHS = (3, 5, 8, 12)  # the page shows three captions; beyond twelve nothing was gained
_REPETITION = (0.0, 2.0)
_LENGTH = (0.0, 0.3, 0.5, 0.7, 0.9, 1.1)
_NOISE = 0.003  # what chance does to the CIDEr of 1,000 photos; of fewer, more
_BATCH = 64


@dataclass(frozen=True)
class Chosen:
    """A search, its dev CIDEr, and what it found for each dev photo, best first."""

    decoding: DecodingConfig
    cider: float
    found: list[list[Hypothesis]]


def choose_decoding(
    encoder: keras.Model,
    decoder: Decoder,
    tokenizer: Tokenizer,
    photos: Sequence[Photo],
    options: TrainingOptions,
    known: DecodingConfig | None = None,
) -> Chosen:
    """The best search on dev; each that was tried is printed.

    A difference has to be more than chance's: `known`, the search of the artifact that the training began with, is
    kept where none is that much better; else the narrowest width that comes so near to the best.
    The length penalty only ranks what a search has found, so one search serves all of them.
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
            tried.append(Chosen(decoding, quick_cider(references, captions), ranked))
            print(_line(tried[-1]), flush=True)
    return best_of(tried, len(photos), known)


def best_of(tried: Sequence[Chosen], photos: int, known: DecodingConfig | None = None) -> Chosen:
    """Of what was tried on so many photos: `known` if it is near the best, else the best of the narrowest width."""
    best, noise = max(chosen.cider for chosen in tried), _NOISE * (1000 / photos) ** 0.5
    near = [chosen for chosen in tried if chosen.cider >= best - noise]
    for chosen in near:
        if chosen.decoding == known:
            return chosen
    narrowest = min(chosen.decoding.beam_width for chosen in near)
    return max((c for c in near if c.decoding.beam_width == narrowest), key=lambda chosen: chosen.cider)


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
