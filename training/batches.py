"""Batches for `model.fit`: photos or cached features, with captions as ids for teacher forcing.

A batch is `({"features" or "photos": …, "ids": (B, K, T)}, targets (B, K, T), weights (B, K, T))`: K captions of each
photo share its features, and `weights` says how much each word counts. Every choice (order, captions, flips, windows)
is drawn from (seed, epoch, batch), so threads change nothing.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from PIL import Image

from model.errors import CaptionerError
from model.tokenizer import PAD, UNKNOWN

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
        devices: int = 1,
        importance: Sequence[Sequence[float]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key, self.fetch, self.captions, self.importance = key, fetch, captions, importance
        self.batch_size, self.per_photo, self.max_words = batch_size, per_photo, max_words
        self.seed, self.devices = seed, devices
        self.failure: CaptionerError | None = None  # what `fetch` raised: TensorFlow makes an error of its own of it
        self.begin(0)

    def __len__(self) -> int:
        return math.ceil(len(self.captions) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        due = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        rows: np.ndarray = np.resize(due, math.ceil(len(due) / self.devices) * self.devices)
        random = np.random.default_rng((self.seed, self.epoch, index))
        # Every device gets as many photos: those that fill up the last batch have no caption, and teach nothing.
        chosen = [self._choose(row, random) if place < len(due) else [] for place, row in enumerate(rows)]
        captions = [[self.captions[row][i] for i in some] for row, some in zip(rows, chosen, strict=True)]
        ids, targets = teacher_forcing(captions, self.per_photo, self.max_words)
        importance = np.ones(ids.shape[:2], np.float32)
        if self.importance is not None:
            for place, (row, some) in enumerate(zip(rows, chosen, strict=True)):
                importance[place, : len(some)] = [self.importance[row][i] for i in some]
        try:
            inputs = self.fetch(rows, random)
        except CaptionerError as exc:
            self.failure = exc
            raise
        return {self.key: inputs, "ids": ids}, targets, word_weights(targets, importance)

    def begin(self, epoch: int) -> None:
        """Draw the order of an epoch. It is told which: `fit` calls `on_epoch_end` once before the first one, too."""
        self.epoch = epoch
        self._order = np.random.default_rng((self.seed, epoch)).permutation(len(self.captions))

    def _choose(self, row: int, random: np.random.Generator) -> Sequence[int]:
        count = len(self.captions[row])
        return range(count) if count <= self.per_photo else random.choice(count, self.per_photo, False).tolist()


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


def word_weights(targets: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Targets (B, K, T) and one number a caption (B, K) -> weights (B, K, T): that number over the words of the batch.

    Padding counts nothing, nor do unknown words: they are read as part of a prefix, and never generated.
    """
    counted = (targets != PAD) & (targets != UNKNOWN)
    return (counted * importance[..., None] / max(1, counted.sum())).astype(np.float32)


def flip_and_zoom(
    pixels: np.ndarray, size: tuple[int, int], shares: tuple[float, float], random: np.random.Generator
) -> np.ndarray:
    """(B, H, W, 3) -> (B, *size, 3): each photo a window of its own, every other one mirrored.

    Height and width of the window are shares of the photo's, drawn independently between the two `shares`.
    """
    height, width = size
    out = np.empty((len(pixels), height, width, 3), pixels.dtype)
    for row, photo in enumerate(pixels):
        tall, wide = (random.uniform(*shares) * side for side in photo.shape[:2])
        top, left = random.uniform(0, photo.shape[0] - tall), random.uniform(0, photo.shape[1] - wide)
        box = (left, top, left + wide, top + tall)
        window = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC, box))
        out[row] = window[:, ::-1] if random.random() < 0.5 else window
    return out
