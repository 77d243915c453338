"""From features to word ids: the decoder, stepped by the search, with its state kept between the words."""

from collections.abc import Callable, Sequence

import numpy as np
from keras import ops

from model.config import MAX_BEAM_WIDTH, DecodingConfig
from model.decoder import Decoder
from model.errors import NoAttention
from model.runtime import Arrays, Compiled, Precision, compiled
from model.search import Hypothesis, beam_search, candidates, pick
from model.tokenizer import PAD, START

_WIDTHS = (8, MAX_BEAM_WIDTH)  # a step is compiled for each: the fewer candidates it offers, the faster it is


class Generator:
    """Captions feature grids with one decoder. Compiled at the first use, used for every batch."""

    def __init__(self, decoder: Decoder, precision: Precision = "fastest") -> None:
        self._decoder, self._precision = decoder, precision
        self._units, self._states = decoder.config.units, decoder.config.states
        self.has_attention = decoder.config.kind == "attention"
        self._remember = compiled(decoder, decoder.remember, precision)
        self._steps: dict[int, Compiled] = {}
        self._look = compiled(
            decoder, lambda *inputs: _flat_look(decoder, *inputs), precision, beams_in=1 + self._states
        )

    def search(
        self, features: np.ndarray, decoding: DecodingConfig, check: Callable[[], None] | None = None
    ) -> list[list[Hypothesis]]:
        """(B, h, w, C) -> the best hypotheses of each photo, best first.

        `check` is called before each word; what it raises ends the search.
        """
        photos, compiled_step = len(features), self._step(decoding.beam_width)
        memory = self._remember([features])  # what depends on the photo alone, once
        states: Arrays = [np.zeros((photos, decoding.beam_width, self._units), np.float32)] * self._states

        def step(ids: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            nonlocal states
            if check is not None:
                check()
            carried = [pick(state, parents) for state in states]
            words, log_probabilities, *states = compiled_step([ids.astype(np.int32), *carried, *memory])
            return words, log_probabilities

        return beam_search(step, photos, decoding)

    def _step(self, beam_width: int) -> Compiled:
        """One word of every beam; of the whole vocabulary only the candidates of the search come back."""
        offered = candidates(next(width for width in _WIDTHS if beam_width <= width))
        if offered not in self._steps:
            self._steps[offered] = compiled(
                self._decoder,
                lambda *inputs: _flat_step(self._decoder, offered, *inputs),
                self._precision,
                beams_in=1 + self._states,
            )
        return self._steps[offered]

    def attend(self, features: np.ndarray, captions: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Where the decoder looked for each word: (B, h, w, C) and the ids of a caption of each photo -> (words, G).

        A caption's ids are those of a Hypothesis, without START and END; each row is spread over the G = h * w cells
        and sums to 1. Raises NoAttention for a `merge` decoder.
        """
        if not self.has_attention:
            raise NoAttention(
                "only an attention decoder knows where it looked; this one is `merge`: ask without attention, or "
                "train with --decoder attention"
            )
        photos, lengths = len(captions), [len(caption) for caption in captions]
        memory = self._remember([features])
        states = [np.zeros((photos, 1, self._units), np.float32)] * self._states
        read = np.full((photos, max(lengths, default=0) + 1), PAD)  # for word t, the words up to t - 1 have been read
        read[:, 0] = START
        for row, caption in enumerate(captions):
            read[row, 1 : len(caption) + 1] = caption
        rows = []
        for ids in read[:, :-1].T:
            weights, *states = self._look([ids[:, None].astype(np.int32), *states, *memory])
            rows.append(np.asarray(weights)[:, 0])
        seen = np.stack(rows, axis=1) if rows else np.empty((photos, 0, np.prod(features.shape[1:3])))
        return [
            found[:length] / found[:length].sum(-1, keepdims=True) for found, length in zip(seen, lengths, strict=True)
        ]


def _flat_step(decoder: Decoder, offered: int, ids: object, *rest: object) -> list[object]:
    count = decoder.config.states
    logits, states, _ = decoder.step(ids, list(rest[:count]), list(rest[count:]))
    best, words = ops.top_k(logits, min(offered, decoder.config.vocabulary))
    return [words, best - ops.logsumexp(logits, axis=-1, keepdims=True), *states]


def _flat_look(decoder: Decoder, ids: object, *rest: object) -> list[object]:
    count = decoder.config.states
    _, states, weights = decoder.step(ids, list(rest[:count]), list(rest[count:]))
    return [weights, *states]
