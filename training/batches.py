"""Batches for `model.fit`: photos or cached features, with captions as ids for teacher forcing.

A batch is `({"features" or "photos": …, "ids": (B, K, T)}, targets (B, K, T))`: K captions of each photo share its
features. Every choice (order, captions, flips, crops) is drawn from (seed, epoch, batch), so threads change nothing.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from model.tokenizer import PAD

# row numbers (B,) and their random generator -> the inputs of that batch, (B, …)
Fetch = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class CaptionBatches(keras.utils.PyDataset):
    """Photos in random order, up to `per_photo` captions of each; shorter rows are padded with PAD."""

    def __init__(
        self,
        key: str,
        fetch: Fetch,
        captions: Sequence[Sequence[Sequence[int]]],
        *,
        batch_size: int,
        per_photo: int = 5,
        max_words: int = 24,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key, self.fetch, self.captions = key, fetch, captions
        self.batch_size, self.per_photo, self.max_words = batch_size, per_photo, max_words
        self.seed, self.epoch = seed, 0
        self._order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self.captions) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        random = np.random.default_rng((self.seed, self.epoch, index))
        ids, targets = teacher_forcing([self._choose(row, random) for row in rows], self.per_photo, self.max_words)
        return {self.key: self.fetch(rows, random), "ids": ids}, targets

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self.epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        return np.random.default_rng((self.seed, self.epoch)).permutation(len(self.captions))

    def _choose(self, row: int, random: np.random.Generator) -> list[Sequence[int]]:
        captions = self.captions[row]
        if len(captions) <= self.per_photo:
            return list(captions)
        return [captions[i] for i in random.choice(len(captions), self.per_photo, replace=False)]


def teacher_forcing(
    captions: Sequence[Sequence[Sequence[int]]], per_photo: int, max_words: int
) -> tuple[np.ndarray, np.ndarray]:
    """Captions `[START, …, END]` of each photo -> ids and, one step ahead, targets: two arrays (B, K, T) of int32.

    T is always `max_words` + 1: one shape for all batches is compiled once, and `model.fit` asks for it.
    """
    length = max_words + 1
    ids = np.full((len(captions), per_photo, length), PAD, np.int32)
    targets = np.full_like(ids, PAD)
    for row, photo in enumerate(captions):
        for column, caption in enumerate(photo):
            cut = np.asarray(caption[: length + 1])
            ids[row, column, : len(cut) - 1] = cut[:-1]
            targets[row, column, : len(cut) - 1] = cut[1:]
    return ids, targets


def flip_and_crop(pixels: np.ndarray, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """(B, H, W, 3) -> (B, *size, 3): each photo a window of its own, every other one mirrored.

    The window is cut, not rescaled: things keep the size that they have when whole photos are captioned, which
    resized crops would change (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    """
    height, width = size
    out = np.empty((len(pixels), height, width, 3), pixels.dtype)
    for row, photo in enumerate(pixels):
        top = random.integers(photo.shape[0] - height + 1)
        left = random.integers(photo.shape[1] - width + 1)
        window = photo[top : top + height, left : left + width]
        out[row] = window[:, ::-1] if random.random() < 0.5 else window
    return out
