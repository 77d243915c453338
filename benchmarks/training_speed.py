"""How fast training is: `python benchmarks/training_speed.py` writes docs/training-speed.md, in about three minutes.

Our way of training against that of the tutorials, on the same captions and photos, both made up by code; then how much
of a training goes into anything but the networks. Leave the machine alone meanwhile.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from model.quiet import quiet_import

with quiet_import():
    import keras
import numpy as np

from benchmarks.measure import MAX_LENGTH, UNITS, VOCABULARY, tutorial_decoder
from benchmarks.photos import USUAL, write_photos
from benchmarks.report import ROOT, conditions, milliseconds, table, write_section
from model.bundle import build_decoder
from model.config import DecoderConfig
from model.tokenizer import END, RESERVED, START, UNKNOWN, Tokenizer
from training.batches import CaptionBatches
from training.datasets import Photo
from training.losses import CaptionLoss
from training.options import TrainingOptions
from training.stages import EndToEnd, Run, Split

PAGE = ROOT / "docs" / "training-speed.md"
FASTER, OUTSIDE = 10, 0.10  # what is meant to be reached
OURS_LIKE_THEIRS, SHIPPED = "ours, their network", "ours, the network that ships"
LONGEST = 38  # words of the longest caption of Flickr8k, markers included: the least that its tutorials pad to

Captions = list[list[list[int]]]  # photos, captions of each, ids
Step = Callable[[], object]


@dataclass(frozen=True)
class Sizes:
    """What is measured: small numbers try the command out."""

    photos: int = 16  # of one batch
    vocabulary: int = VOCABULARY  # every word of the captions, as the tutorials have it
    frequent: int = 2542  # those seen five times, as we have it: the vocabulary of the artifact that ships
    grid: tuple[int, int, int] = (7, 7, 2048)
    steps: int = 8  # of an epoch
    rounds: int = 5


@dataclass(frozen=True)
class Way:
    """One way to train on the same captions: what it does in a step, and how it is told of in the table."""

    step: Step
    vocabulary: int
    samples: int
    length: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, and say what was reached; 0 if all of it was."""
    parser = argparse.ArgumentParser(description="Measure how fast training is; writes docs/training-speed.md.")
    parser.parse_args(arguments)
    goals = measure_and_write(Sizes(), resnet50(), PAGE)
    print(table(("goal", "wanted", "measured", ""), goals))
    return int(any("missed" in goal[-1] for goal in goals))


def measure_and_write(sizes: Sizes, encoder: keras.Model, page: Path) -> list[tuple[str, str, str, str]]:
    """Write the section of `page`; returns the goals with what was measured of each."""
    keras.utils.set_random_seed(0)
    captions, random = made_up_captions(sizes.photos, sizes.vocabulary), np.random.default_rng(0)
    grid = random.random((sizes.photos, *sizes.grid), np.float32)
    ways = {
        "tutorials, one-hot targets": tutorial_way(captions, grid, sizes.vocabulary, MAX_LENGTH, one_hot=True),
        "tutorials, ids as targets": tutorial_way(captions, grid, sizes.vocabulary, MAX_LENGTH, one_hot=False),
        f"tutorials, padded to {LONGEST}": tutorial_way(captions, grid, sizes.vocabulary, LONGEST, one_hot=False),
        OURS_LIKE_THEIRS: our_way(captions, grid, sizes.frequent, "merge", UNITS),
        "ours, their network and every word": our_way(captions, grid, sizes.vocabulary, "merge", UNITS),
        SHIPPED: our_way(captions, grid, sizes.frequent, "attention", TrainingOptions.units),
    }
    seconds = least_seconds({title: way.step for title, way in ways.items()}, sizes.rounds)
    shares = {"frozen": frozen_share(sizes), "end to end": end_to_end_share(sizes, encoder)}
    goals = reached(seconds, shares)
    write_section("training-speed", text(sizes, captions, ways, seconds, shares, goals), page)
    return goals


def resnet50() -> keras.Model:
    """The encoder that ships, its weights random: a step takes as long with any."""
    pixels = keras.Input((224, 224, 3), name="rgb")
    network = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=pixels)
    return keras.Model(pixels, network.output, name="resnet50")


def made_up_captions(photos: int, vocabulary: int, per_photo: int = 5) -> Captions:
    """Captions as long as those of Flickr8k, 10.8 words on average, with words as frequent as Zipf's law has it."""
    random = np.random.default_rng(0)
    odds = 1 / np.arange(1, vocabulary - RESERVED + 1)
    lengths = np.clip(random.normal(10.8, 3.8, (photos, per_photo)).round().astype(int), 3, LONGEST - 2)
    ids = np.arange(RESERVED, vocabulary)
    return [
        [[START, *random.choice(ids, length, p=odds / odds.sum()).tolist(), END] for length in of_photo]
        for of_photo in lengths
    ]


def tutorial_way(captions: Captions, grid: np.ndarray, vocabulary: int, length: int, *, one_hot: bool) -> Way:
    """Every prefix of every caption a sample, padded; its target the next word."""
    prefixes = [
        (photo, caption[:end], caption[end])
        for photo, said in enumerate(captions)
        for caption in said
        for end in range(1, len(caption))
    ]
    photos, words, targets = zip(*prefixes, strict=True)
    network = tutorial_decoder(vocabulary, length)
    network.compile("adam", "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy")
    inputs = [grid.mean(axis=(1, 2))[list(photos)], keras.utils.pad_sequences(words, maxlen=length)]
    wanted = keras.utils.to_categorical(targets, vocabulary) if one_hot else np.array(targets)
    return Way(lambda: network.train_on_batch(inputs, wanted), vocabulary, len(prefixes), length)


def our_way(captions: Captions, grid: np.ndarray, vocabulary: int, kind: str, units: int) -> Way:
    """Every caption once, all of its prefixes in one pass of the LSTM."""
    batches = _frozen_batches(_kept(captions, vocabulary), grid, len(captions))
    decoder = _decoder(vocabulary, grid.shape[-1], kind, units)
    inputs, targets, weights = batches[0]
    return Way(
        lambda: decoder.train_on_batch(inputs, targets, weights),
        vocabulary,
        targets.shape[0] * targets.shape[1],
        targets.shape[2],
    )


def least_seconds(works: Mapping[str, Step], rounds: int) -> dict[str, float]:
    """The best of some rounds, in each of which every work has its turn; one more before them compiles."""
    seconds = [{title: _timed(work) for title, work in works.items()} for _ in range(rounds + 1)][1:]
    return {title: min(each[title] for each in seconds) for title in works}


def frozen_share(sizes: Sizes) -> float:
    """The share of the stage on cached features that is not spent in the network."""
    photos = sizes.photos * sizes.steps
    captions = _kept(made_up_captions(photos, sizes.vocabulary), sizes.frequent)
    with tempfile.TemporaryFile() as file:  # a map of a file, as training has it
        grid = np.memmap(file, np.float16, "w+", shape=(photos, *sizes.grid))
        grid[:] = np.random.default_rng(0).random(sizes.grid, np.float32)
        decoder = _decoder(sizes.frequent, sizes.grid[-1], "attention", TrainingOptions.units)
        return share_outside(decoder, _frozen_batches(captions, grid, sizes.photos), sizes.rounds)


def end_to_end_share(sizes: Sizes, encoder: keras.Model) -> float:
    """The share of the stage on photos, decoded and cut anew for every step, that is not spent in the networks."""
    captions = _kept(made_up_captions(sizes.photos * sizes.steps, sizes.vocabulary), sizes.frequent)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), 2 * sizes.photos, USUAL)
        photos = [Photo(str(row), paths[row % len(paths)], ()) for row in range(len(captions))]
        options = TrainingOptions(dataset=Path(folder))
        decoder = _decoder(sizes.frequent, encoder.output_shape[-1], "attention", options.units)
        split = Split(photos, np.empty(0))
        pair = EndToEnd(Run(options, Tokenizer(()), decoder, split, split), encoder)
        pair.model.compile(pair.optimizer(sizes.steps, 1, 1e-5, 1e-4), CaptionLoss())
        batches = CaptionBatches(
            "photos", pair.fetch, captions, batch_size=sizes.photos, max_words=options.max_words, max_queue_size=4
        )
        return share_outside(pair.model, batches, max(1, sizes.rounds - 2))


class Again(keras.utils.PyDataset):
    """One batch, made beforehand, as often as the other data set has batches."""

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self._batch, self._count = batches[0], len(batches)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        return self._batch


def share_outside(model: keras.Model, batches: CaptionBatches, rounds: int) -> float:
    """How much longer an epoch takes than as many steps on a batch that lies ready, as a share of the epoch."""

    def fit(data: keras.utils.PyDataset) -> Step:
        return lambda: model.fit(data, verbose=0)

    seconds = least_seconds({"ready": fit(Again(batches)), "whole": fit(batches)}, rounds)
    return max(0.0, 1 - seconds["ready"] / seconds["whole"])


def reached(seconds: Mapping[str, float], shares: Mapping[str, float]) -> list[tuple[str, str, str, str]]:
    """What training is meant to do, what it does, and whether that is enough."""
    faster = _tutorials(seconds) / seconds[OURS_LIKE_THEIRS]
    goals = [
        ("captions a second, against the tutorials' way", f"{FASTER} times", f"{faster:.1f} times", faster >= FASTER),
        *(
            (f"outside the network, {stage}", f"{OUTSIDE:.0%}", f"{share:.1%}", share < OUTSIDE)
            for stage, share in shares.items()
        ),
    ]
    return [(what, wanted, found, "reached" if enough else "**missed**") for what, wanted, found, enough in goals]


def text(
    sizes: Sizes,
    captions: Captions,
    ways: Mapping[str, Way],
    seconds: Mapping[str, float],
    shares: Mapping[str, float],
    goals: Sequence[Sequence[str]],
) -> str:
    """The section of docs/training-speed.md."""
    count = sum(map(len, captions))
    rows = [
        (title, f"{way.vocabulary:,}", f"{way.samples:,} of {way.length}", milliseconds(seconds[title]),
         f"{count / seconds[title]:.0f}", f"{_tutorials(seconds) / seconds[title]:.1f}")
        for title, way in ways.items()
    ]  # fmt: skip
    return f"""
# How fast training is

Written by `python benchmarks/training_speed.py`: {conditions()}

## A step

The same {count} captions of {sizes.photos} photos, forward, backward and the optimizer, on features that lie ready; the
best of {sizes.rounds} rounds after one that compiles. The tutorials' way: a pooled photo, an LSTM of {UNITS} units,
every word of the data set in the vocabulary, and every prefix of a caption a sample of its own, padded to {MAX_LENGTH}
words. Ours: a caption is one row, the LSTM reads it once and every position learns its next word; the vocabulary holds
the words seen five times. The network that ships attends to the grid with {TrainingOptions.units} units and two blocks:
it does many times their network's arithmetic for each word.

{table(("", "vocabulary", "rows", "a step", "captions/s", "times faster"), rows)}

## What is not spent in the network

An epoch of {sizes.steps} steps by `fit`, against as many steps on one batch made beforehand: reading features or
decoding, flipping and cutting photos of {"×".join(map(str, USUAL))}, choosing and padding captions.

{table(("stage", "outside the network"), [(stage, f"{share:.1%}") for stage, share in shares.items()])}

{table(("goal", "wanted", "measured", ""), goals)}
"""


def _tutorials(seconds: Mapping[str, float]) -> float:
    """A step in the tutorials' way: the faster of its two kinds of targets."""
    return min(seconds["tutorials, one-hot targets"], seconds["tutorials, ids as targets"])


def _decoder(vocabulary: int, channels: int, kind: str, units: int) -> keras.Model:
    decoder = build_decoder(DecoderConfig(vocabulary=vocabulary, channels=channels, kind=kind, units=units))
    decoder.compile(keras.optimizers.AdamW(1e-4, global_clipnorm=1.0, use_ema=True), CaptionLoss())
    return decoder


def _frozen_batches(captions: Captions, grid: np.ndarray, batch_size: int) -> CaptionBatches:
    return CaptionBatches(
        "features",
        lambda rows, _: grid[rows].astype(np.float32),
        captions,
        batch_size=batch_size,
        max_words=TrainingOptions.max_words,
    )


def _kept(captions: Captions, vocabulary: int) -> Captions:
    """The same captions with a smaller vocabulary: what lies beyond it is unknown."""
    return [[[i if i < vocabulary else UNKNOWN for i in caption] for caption in said] for said in captions]


def _timed(work: Step) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
