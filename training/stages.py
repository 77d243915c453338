"""The stages of a training: the decoder on frozen features, then encoder and decoder end to end."""

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from model.decoder import Decoder
from model.encoder import freeze_batch_norm, input_size, rebuild
from model.errors import ImageError
from model.generation import Generator
from model.image import open_image
from model.tokenizer import Tokenizer
from training.batches import CaptionBatches, Fetch, flip_and_zoom
from training.board import board
from training.callbacks import SAMPLES, CurvePlot, DevScore
from training.checkpoints import identity, stages_of
from training.consensus import consensus
from training.datasets import Photo
from training.extractor import engine_named
from training.features import Grids, encode, extract, read_pixels
from training.forecast import Forecast, plan
from training.losses import CaptionLoss
from training.options import TrainingOptions
from training.parallel import AdamW, devices, on_one
from training.progress import Progress
from training.reinforce import SelfCritic, fit
from training.sampling import Sampler


class Captioner(keras.Model):
    """Encoder and decoder as one network: {"photos": (B, H, W, 3), "ids": (B, K, T)} -> logits (B, K, T, V)."""

    def __init__(self, encoder: keras.Model, decoder: Decoder) -> None:
        super().__init__(name="captioner")
        self.encoder, self.decoder = encoder, decoder

    def call(self, inputs: dict[str, object], training: bool = False) -> object:
        """The encoder always runs in inference mode: its BatchNorm statistics are ImageNet's."""
        features = self.encoder(inputs["photos"], training=False)
        return self.decoder({"features": features, "ids": inputs["ids"]}, training=training)


@dataclass(frozen=True)
class Split:
    """Readable photos of one split, and the frozen encoder's features of them, row by row."""

    photos: Sequence[Photo]
    features: Grids

    def ids(self, tokenizer: Tokenizer) -> list[list[list[int]]]:
        """The captions of every photo as `[START, …, END]`."""
        return [[tokenizer.encode(text) for text in photo.captions] for photo in self.photos]

    @property
    def paths(self) -> list[Path]:
        """Where the photos lie."""
        return [photo.path for photo in self.photos]


@dataclass(frozen=True)
class Run:
    """What all stages share: `source` says what it began from, `started` when (`time.monotonic`)."""

    options: TrainingOptions
    tokenizer: Tokenizer
    decoder: Decoder
    train: Split
    dev: Split
    source: str = ""
    started: float = field(default_factory=time.monotonic)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint has to agree with."""
        return identity(self.options, [*self.train.photos, *self.dev.photos], self.source)


def extract_split(encoder: keras.Model, photos: Sequence[Photo], work: Path, engine: str = "here") -> Split:
    """Features of a split; photos that turn out to be unreadable are named and left out."""
    features = extract(encoder, [photo.path for photo in photos], work / "features", engine_named(engine))
    for row, reason in sorted(features.failed.items()):
        print(f"left out: {photos[row].name}: {reason}", flush=True)
    return Split([photos[row] for row in features.readable()], features.grid)


def check_split(photos: Sequence[Photo]) -> Split:
    """A split that is only trained end to end: no features; unreadable photos are named and left out."""
    good = []
    for photo in photos:
        try:
            open_image(photo.path)
        except ImageError as exc:
            print(f"left out: {photo.name}: {exc}", flush=True)
        else:
            good.append(photo)
    return Split(good, np.empty((0,)))


def run_all(run: Run, encoder: keras.Model) -> dict[str, float]:
    """Every stage that the options ask for; returns the best greedy dev CIDEr of each.

    A stage that did not raise the dev CIDEr is undone.
    """
    best = train_decoder(run) if run.options.epochs else dev_cider(run, run.dev.features)
    scores = {"frozen" if run.options.epochs else "start": best}
    stages = {"fine-tuned": (run.options.fine_tune, fine_tune), "self-critical": (run.options.reinforce, reinforce)}
    for name, (wanted, stage) in stages.items():
        if wanted:
            before = run.decoder.get_weights()
            trained, scores[name] = stage(run, encoder)
            if scores[name] > best:
                best = scores[name]
                encoder.set_weights(trained.get_weights())
            else:
                print(f"the {name} stage did not raise the dev CIDEr: what was learnt before it is kept", flush=True)
                run.decoder.set_weights(before)
    return scores


def history(options: TrainingOptions) -> dict[str, list[dict[str, float]]]:
    """What the logs of the run's stages hold: stage -> its epochs, counted from 1."""
    return {stage: _epochs(options.work / f"{stage}.csv") for stage in stages_of(options)}


def _epochs(log: Path) -> list[dict[str, float]]:
    with log.open() as lines:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]
    return [row | {"epoch": row["epoch"] + 1} for row in rows]


def train_decoder(run: Run) -> float:
    """Fit the decoder to the cached features; returns the best dev CIDEr."""
    options, features = run.options, run.train.features
    batches = _batches(run, "features", lambda rows, _: features[rows].astype(np.float32))
    optimizer = _adamw(options, options.learning_rate, len(batches), options.epochs)
    return _fit(run, run.decoder, optimizer, batches, lambda: run.dev.features, options.epochs, "frozen")


def fine_tune(run: Run, encoder: keras.Model) -> tuple[keras.Model, float]:
    """Train a copy of `encoder` and the run's decoder end to end; returns the copy and the best dev CIDEr."""
    options, pair = run.options, EndToEnd(run, encoder)
    batches = _batches(run, "photos", pair.fetch, workers=1, max_queue_size=4)
    optimizer = pair.optimizer(len(batches), options.fine_tune_epochs, options.encoder_rate, options.decoder_rate)
    return pair.encoder, _fit(run, pair.model, optimizer, batches, pair.dev_features, options.fine_tune_epochs, "tuned")


def reinforce(run: Run, encoder: keras.Model) -> tuple[keras.Model, float]:
    """Self-critical training of a copy of `encoder` and the run's decoder; returns the copy and the best dev CIDEr."""
    options, pair = run.options, EndToEnd(run, encoder)
    critic = SelfCritic(
        Sampler(run.decoder, options.max_words),
        run.train.ids(run.tokenizer),
        samples=options.samples,
        max_words=options.max_words,
        human_share=options.human_share,
    )
    rows, epochs = len(run.train.photos), options.reinforce_epochs
    steps = math.ceil(rows / options.batch_size)
    optimizer = pair.optimizer(steps, epochs, options.reinforce_encoder_rate, options.reinforce_decoder_rate)
    progress, callbacks = _callbacks(run, pair.dev_features, "reinforced")
    if not progress.finished:
        pair.model.compile(optimizer, CaptionLoss(label_smoothing=0.0))
        fit(
            pair.model,
            rows,
            lambda photos: np.asarray(pair.encoder.predict_on_batch(photos)),
            pair.fetch,
            critic,
            batch_size=options.batch_size,
            initial_epoch=progress.epoch,
            epochs=epochs,
            seed=options.seed,
            callbacks=callbacks,
        )
    return pair.encoder, progress.finish(pair.model)


class EndToEnd:
    """A trainable copy of the encoder before the run's decoder, and the pictures that both are trained on."""

    def __init__(self, run: Run, encoder: keras.Model) -> None:
        self._run, self._size = run, input_size(encoder)
        self.encoder = rebuild(encoder, any_size=True, dtype=run.options.precision)
        freeze_batch_norm(self.encoder)
        self.model = Captioner(self.encoder, run.decoder)
        with on_one():
            self._seeing = keras.Model(self.encoder.input, self.encoder.output)

    def fetch(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Photos of the training split, flipped and cut."""
        options, paths = self._run.options, self._run.train.paths
        window = (round(self._size[0] * options.crop), round(self._size[1] * options.crop))
        pixels = read_pixels([paths[row] for row in rows], self._size)
        return flip_and_zoom(pixels, window, (options.zoom, 1.0), random)

    def dev_features(self) -> np.ndarray:
        """The dev photos as the encoder sees them now."""
        return encode(self._seeing, self._run.dev.paths, self._size)

    def optimizer(self, batches: int, epochs: int, of_encoder: float, of_decoder: float) -> keras.optimizers.Optimizer:
        """One rate for the encoder, another for the decoder."""
        slow = _adamw(self._run.options, of_encoder, batches, epochs)
        fast = _adamw(self._run.options, of_decoder, batches, epochs)
        paths = {variable.path for variable in self.encoder.trainable_variables}
        return keras.optimizers.MultiOptimizer(lambda variable: slow if variable.path in paths else fast)


def dev_cider(run: Run, features: Grids) -> float:
    """The greedy dev CIDEr of the run's decoder as it stands."""
    logs: dict[str, float] = {}
    _dev_score(run, lambda: features).on_epoch_end(-1, logs)
    return logs["dev_cider"]


def _dev_score(run: Run, features: Callable[[], Grids]) -> DevScore:
    with on_one():
        generator = Generator(run.decoder)
    return DevScore(generator, features, run.dev.photos, run.tokenizer, run.options.max_words)


def _batches(run: Run, key: str, fetch: Fetch, **kwargs: Any) -> CaptionBatches:
    options = run.options
    return CaptionBatches(
        key,
        fetch,
        run.train.ids(run.tokenizer),
        batch_size=options.batch_size,
        max_words=options.max_words,
        seed=options.seed,
        devices=devices(options.data_parallel),
        importance=consensus([photo.captions for photo in run.train.photos], options.consensus),
        **kwargs,
    )


def _adamw(options: TrainingOptions, peak: float, batches: int, epochs: int) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), warmed up over a twentieth of the steps, averaged over late ones."""
    steps = epochs * batches
    warm_up = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        peak / 20, max(1, steps - warm_up), alpha=0.01, warmup_target=peak, warmup_steps=warm_up
    )
    return AdamW(
        schedule,
        weight_decay=options.weight_decay,
        global_clipnorm=1.0,
        beta_2=0.99,
        use_ema=True,
        ema_momentum=min(options.average, 1 - 1 / (2 * batches)),  # few photos: about two epochs
    )


def _fit(
    run: Run,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    batches: CaptionBatches,
    dev_features: Callable[[], Grids],
    epochs: int,
    stage: str,
) -> float:
    """Fit until the dev CIDEr has not risen for `patience` epochs; the model ends with its best weights."""
    progress, callbacks = _callbacks(run, dev_features, stage, batches.begin)
    if not progress.finished:
        model.compile(optimizer, CaptionLoss(run.options.label_smoothing))
        try:
            # The batches come in an order of their own; that of `fit` would depend on the epochs before.
            model.fit(
                batches, initial_epoch=progress.epoch, epochs=epochs, callbacks=callbacks, verbose=0, shuffle=False
            )
        except Exception as exc:
            if batches.failure is not None:
                raise batches.failure from exc
            raise
    return progress.finish(model)


def _callbacks(
    run: Run, dev_features: Callable[[], Grids], stage: str, begin: Callable[[int], None] = lambda _: None
) -> tuple[Progress, list[keras.callbacks.Callback]]:
    """How far the stage has come, and what happens around each of its epochs; `begin` is told their numbers."""
    options, folder = run.options, run.options.work
    progress = Progress(
        folder,
        stage,
        run.identity,
        resume=options.resume,
        patience=options.patience,
        seed=options.seed,
        clock=lambda: time.monotonic() - run.started,
        begin=begin,
    )
    score = _dev_score(run, dev_features)
    callbacks = [
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),  # first: what follows sees the averaged weights
        score,
        progress,
        CurvePlot(folder / f"{stage}.csv", folder / f"{stage}.png"),
        keras.callbacks.TerminateOnNaN(),
        Forecast(stage, plan(options), math.ceil(len(run.train.photos) / options.batch_size)),
    ]
    if options.tensorboard:
        callbacks += board(folder / "tensorboard" / stage, run.dev.photos[:SAMPLES], lambda: score.captions)
    return progress, callbacks
