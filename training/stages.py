"""The stages of a training: the decoder on frozen features, then encoder and decoder end to end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from model.decoder import Decoder
from model.encoder import freeze_batch_norm, input_size, rebuild
from model.generation import Generator
from model.tokenizer import Tokenizer
from training.batches import CaptionBatches, Fetch, flip_and_crop
from training.callbacks import CurvePlot, DevScore
from training.datasets import Photo
from training.features import encode, extract, read_pixels
from training.losses import CaptionLoss
from training.options import TrainingOptions


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
    features: np.ndarray

    def ids(self, tokenizer: Tokenizer) -> list[list[list[int]]]:
        """The captions of every photo as `[START, …, END]`."""
        return [[tokenizer.encode(text) for text in photo.captions] for photo in self.photos]

    @property
    def paths(self) -> list[Path]:
        """Where the photos lie."""
        return [photo.path for photo in self.photos]


@dataclass(frozen=True)
class Run:
    """What all stages share."""

    options: TrainingOptions
    tokenizer: Tokenizer
    decoder: Decoder
    train: Split
    dev: Split


def extract_split(encoder: keras.Model, photos: Sequence[Photo], work: Path) -> Split:
    """Features of a split; photos that turn out to be unreadable are named and left out."""
    features = extract(encoder, [photo.path for photo in photos], work / "features")
    for row, reason in sorted(features.failed.items()):
        print(f"left out: {photos[row].name}: {reason}", flush=True)
    good = [row for row in range(len(photos)) if row not in features.failed]
    grid = features.grid[good] if features.failed else features.grid
    return Split([photos[row] for row in good], grid)


def run_all(run: Run, encoder: keras.Model) -> dict[str, float]:
    """Every stage that the options ask for; returns the best greedy dev CIDEr of each."""
    scores = {"frozen": train_decoder(run)}
    if run.options.fine_tune:
        before = run.decoder.get_weights()
        tuned, scores["fine-tuned"] = fine_tune(run, encoder)
        if scores["fine-tuned"] > scores["frozen"]:
            encoder.set_weights(tuned.get_weights())
        else:
            print(
                "fine-tuning did not raise the dev CIDEr: what was learnt with the frozen encoder is kept", flush=True
            )
            run.decoder.set_weights(before)
    return scores


def train_decoder(run: Run) -> float:
    """Fit the decoder to the cached features; returns the best dev CIDEr."""
    options, features = run.options, run.train.features
    batches = _batches(run, "features", lambda rows, _: features[rows].astype(np.float32))
    optimizer = _adamw(options, options.learning_rate, len(batches), options.epochs)
    return _fit(run, run.decoder, optimizer, batches, lambda: run.dev.features, options.epochs, "frozen")


def fine_tune(run: Run, encoder: keras.Model) -> tuple[keras.Model, float]:
    """Train a copy of `encoder` and the run's decoder end to end; returns the copy and the best dev CIDEr."""
    options, size = run.options, input_size(encoder)
    trained = rebuild(encoder, any_size=True, dtype=options.precision)
    freeze_batch_norm(trained)
    window = (round(size[0] * options.crop), round(size[1] * options.crop))

    def fetch(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return flip_and_crop(read_pixels([run.train.paths[row] for row in rows], size), window, random)

    batches = _batches(run, "photos", fetch, workers=1, max_queue_size=4)
    of_encoder = _adamw(options, options.encoder_rate, len(batches), options.fine_tune_epochs)
    of_decoder = _adamw(options, options.decoder_rate, len(batches), options.fine_tune_epochs)
    encoder_paths = {variable.path for variable in trained.trainable_variables}
    optimizer = keras.optimizers.MultiOptimizer(
        lambda variable: of_encoder if variable.path in encoder_paths else of_decoder
    )
    model = Captioner(trained, run.decoder)
    return trained, _fit(
        run,
        model,
        optimizer,
        batches,
        lambda: encode(trained, run.dev.paths, size),
        options.fine_tune_epochs,
        "tuned",
    )


def _batches(run: Run, key: str, fetch: Fetch, **kwargs: Any) -> CaptionBatches:
    options = run.options
    return CaptionBatches(
        key,
        fetch,
        run.train.ids(run.tokenizer),
        batch_size=options.batch_size,
        max_words=options.max_words,
        seed=options.seed,
        **kwargs,
    )


def _adamw(options: TrainingOptions, peak: float, batches: int, epochs: int) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), warmed up over a twentieth of the steps, averaged over late ones."""
    steps = epochs * batches
    warm_up = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        peak / 20, max(1, steps - warm_up), alpha=0.01, warmup_target=peak, warmup_steps=warm_up
    )
    return keras.optimizers.AdamW(
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
    dev_features: Callable[[], np.ndarray],
    epochs: int,
    stage: str,
) -> float:
    """Fit until the dev CIDEr has not risen for `patience` epochs; the model ends with its best weights."""
    options, folder = run.options, run.options.work
    best, log = folder / f"{stage}.weights.h5", folder / f"{stage}.csv"
    score = DevScore(Generator(run.decoder), dev_features, run.dev.photos, run.tokenizer, options.max_words)
    callbacks = [
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),  # first: what follows sees the averaged weights
        score,
        keras.callbacks.ModelCheckpoint(
            best, monitor="dev_cider", mode="max", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.CSVLogger(log),
        CurvePlot(log, folder / f"{stage}.png"),
        keras.callbacks.EarlyStopping(monitor="dev_cider", mode="max", patience=options.patience),
        keras.callbacks.TerminateOnNaN(),
    ]
    if options.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder / "tensorboard" / stage))
    model.compile(optimizer, CaptionLoss(options.label_smoothing))
    history = model.fit(batches, epochs=epochs, callbacks=callbacks, verbose=2)
    model.load_weights(best)
    return float(max(history.history["dev_cider"]))
