"""Self-critical training: captions are drawn, scored with CIDEr-D, and made likelier if they beat their fellows.

Rennie et al. 2017, with the mean of the photo's other samples as baseline (Kool, van Hoof and Welling 2019). Written
as ordinary cross-entropy: the drawn words are the targets, the advantage is their weight, so any Keras backend does.
A person's captions stay in every batch at a small weight, which keeps the language from drifting.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from model.tokenizer import PAD
from training.batches import teacher_forcing, word_weights
from training.cider_d import CiderD
from training.sampling import Sampler

Ids = Sequence[int]


@dataclass(frozen=True)
class Batch:
    """What `train_on_batch` takes beside the photos, and the mean reward of the samples."""

    ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    reward: float


class SelfCritic:
    """Turns features of training photos into weighted targets."""

    def __init__(
        self,
        sampler: Sampler,
        captions: Sequence[Sequence[Ids]],
        *,
        samples: int,
        max_words: int,
        human_share: float,
        per_photo: int = 1,
    ) -> None:
        self._sampler, self._captions = sampler, captions
        self._samples, self._max_words = samples, max_words
        self._human_share, self._per_photo = human_share, per_photo
        # END counts as a word, or captions would learn to stop in the middle of a phrase.
        self._cider = CiderD([[caption[1:] for caption in photo] for photo in captions])

    def batch(self, rows: np.ndarray, features: np.ndarray, random: np.random.Generator) -> Batch:
        """Samples and some human captions of the photos `rows`, whose features (B, h, w, C) these are."""
        drawn = self._sampler.draw(features, self._samples, random)
        said = [[_without_padding(ids) for ids in photo] for photo in drawn]
        rewards = np.array(
            [[self._cider.reward(row, ids[1:]) for ids in photo] for row, photo in zip(rows, said, strict=True)]
        )
        humans = [self._choose(row, random) for row in rows]
        ids, targets = teacher_forcing(
            [[*ours, *theirs] for ours, theirs in zip(said, humans, strict=True)],
            self._samples + self._per_photo,
            self._max_words,
        )
        importance = np.full(ids.shape[:2], self._human_share, np.float32)
        importance[:, : self._samples] = advantages(rewards)
        return Batch(ids, targets, word_weights(targets, importance), float(rewards.mean()))

    def _choose(self, row: int, random: np.random.Generator) -> list[Ids]:
        captions = self._captions[row]
        chosen = random.choice(len(captions), min(self._per_photo, len(captions)), replace=False)
        return [captions[i] for i in chosen]


def advantages(rewards: np.ndarray) -> np.ndarray:
    """(B, samples) rewards -> how much each lies above the mean of the photo's others."""
    count = rewards.shape[1]
    return (rewards - rewards.mean(axis=1, keepdims=True)) * count / (count - 1)


def _without_padding(ids: np.ndarray) -> list[int]:
    return [int(index) for index in ids if index != PAD]


def fit(
    model: keras.Model,
    rows: int,
    features: Callable[[np.ndarray], np.ndarray],
    photos: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    critic: SelfCritic,
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    callbacks: Sequence[keras.callbacks.Callback],
    initial_epoch: int = 0,
) -> None:
    """Run the epochs from `initial_epoch` on with Keras' callbacks.

    Written around `train_on_batch` because a batch depends on the weights that the one before has changed.
    """
    listeners = keras.callbacks.CallbackList(callbacks, model=model, epochs=epochs)
    model.stop_training = False
    listeners.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        listeners.on_epoch_begin(epoch)
        order = np.random.default_rng((seed, epoch)).permutation(rows)
        rewards, loss = [], 0.0
        model.reset_metrics()
        for index, start in enumerate(range(0, rows, batch_size)):
            chosen = order[start : start + batch_size]
            random = np.random.default_rng((seed, epoch, index))
            inputs = photos(chosen, random)
            batch = critic.batch(chosen, features(inputs), random)
            listeners.on_train_batch_begin(index)
            loss = model.train_on_batch(  # the mean over the epoch's batches so far
                {"photos": inputs, "ids": batch.ids}, batch.targets, batch.weights
            )
            rewards.append(batch.reward)
            listeners.on_train_batch_end(index, {"loss": float(loss)})
        listeners.on_epoch_end(epoch, {"loss": float(loss), "reward": float(np.mean(rewards))})
        if model.stop_training:
            break
    listeners.on_train_end()
