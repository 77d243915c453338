"""From features to word ids: the decoder, stepped by the search, with its state kept between the words."""

import numpy as np

from model.config import DecodingConfig
from model.decoder import Decoder
from model.runtime import compiled
from model.search import Hypothesis, beam_search


class Generator:
    """Captions feature grids with one decoder. Compiled once, used for every batch."""

    def __init__(self, decoder: Decoder) -> None:
        self._units, self._layers = decoder.config.units, decoder.config.lstm_layers
        self._remember = compiled(decoder, decoder.remember)
        self._step = compiled(decoder, lambda *inputs: _flat_step(decoder, *inputs))

    def search(self, features: np.ndarray, decoding: DecodingConfig) -> list[list[Hypothesis]]:
        """(B, h, w, C) -> the best hypotheses of each photo, best first."""
        photos = len(features)
        memory = self._remember([features])  # what depends on the photo alone, once
        states = [np.zeros((photos, decoding.beam_width, self._units), np.float32)] * (2 * self._layers)

        def step(ids: np.ndarray, parents: np.ndarray) -> np.ndarray:
            nonlocal states
            carried = [np.take_along_axis(state, parents[:, :, None], 1) for state in states]
            logits, *states = self._step([ids, *carried, *memory])
            return np.asarray(logits)

        return beam_search(step, photos, decoding)


def _flat_step(decoder: Decoder, ids: object, *rest: object) -> list[object]:
    count = 2 * decoder.config.lstm_layers
    logits, states, _ = decoder.step(ids, list(rest[:count]), list(rest[count:]))
    return [logits, *states]
