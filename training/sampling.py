"""Captions drawn from the decoder's own distribution, several a photo."""

import numpy as np

from model.decoder import Decoder
from model.runtime import compiled
from model.tokenizer import END, PAD, START, UNKNOWN


class Sampler:
    """Draws captions with one decoder, as it is trained: the weights are read anew at each call."""

    def __init__(self, decoder: Decoder, max_words: int) -> None:
        config = decoder.config
        self._units, self._states, self._max_words = config.units, config.states, max_words
        self._remember = compiled(decoder, decoder.remember)
        self._step = compiled(decoder, lambda *inputs: self._flat(decoder, *inputs))

    def draw(self, features: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """(B, h, w, C) -> ids (B, count, max_words + 2): START, words, END, then PAD; one cut short has no END.

        No word follows itself, and nothing is drawn that the search would not say either.
        """
        photos = len(features)
        memory = self._remember([features])
        states = [np.zeros((photos, count, self._units), np.float32)] * self._states
        ids = np.full((photos, count, self._max_words + 2), PAD, np.int32)
        ids[..., 0] = START
        for place in range(1, self._max_words + 1):
            previous = ids[..., place - 1]
            logits, *states = self._step([previous, *states, *memory])
            # The largest of the logits with Gumbel noise is a draw from their softmax (Gumbel 1954).
            scores = np.asarray(logits) + random.gumbel(size=np.shape(logits))
            scores[..., [PAD, START, UNKNOWN]] = -np.inf
            np.put_along_axis(scores, previous[..., None], -np.inf, axis=-1)
            drawn = np.argmax(scores, axis=-1)
            ids[..., place] = np.where((previous == END) | (previous == PAD), PAD, drawn)
            if np.isin(ids[..., place], (END, PAD)).all():
                break
        return ids

    def _flat(self, decoder: Decoder, ids: object, *rest: object) -> list[object]:
        logits, states, _ = decoder.step(ids, list(rest[: self._states]), list(rest[self._states :]))
        return [logits, *states]
