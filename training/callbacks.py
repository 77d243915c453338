"""What happens after each epoch: captions of the dev split, their CIDEr, and a plot of the curves."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from model.config import DecodingConfig
from model.generation import Generator
from model.tokenizer import Tokenizer
from training.datasets import Photo
from training.decoding import search_in_batches
from training.features import Grids
from training.metrics import quick_cider
from training.parallel import on_one

SAMPLES = 4  # dev photos whose captions are shown after each epoch


class DevScore(keras.callbacks.Callback):
    """Logs `dev_cider`: greedy captions of the dev photos against their references, on our own tokens.

    Checkpoints and early stopping follow it rather than the dev loss: it is what the captions are judged by, and
    it goes on rising after the loss of single words has turned.
    """

    def __init__(
        self,
        generator: Generator,
        features: Callable[[], Grids],
        photos: Sequence[Photo],
        tokenizer: Tokenizer,
        max_words: int,
    ) -> None:
        super().__init__()
        self._generator, self._features, self._photos, self._tokenizer = generator, features, photos, tokenizer
        self._greedy = DecodingConfig(beam_width=1, length_penalty=0.0, max_words=max_words)
        self.captions: dict[str, str] = {}  # of the last epoch, by photo

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Adds the score where the callbacks after this one look for it."""
        with on_one():
            found = search_in_batches(self._generator, self._features(), self._greedy)
        captions = (self._tokenizer.decode(best[0].ids) for best in found)
        self.captions = {photo.name: text for photo, text in zip(self._photos, captions, strict=True)}
        cider = quick_cider({photo.name: photo.captions for photo in self._photos}, self.captions)
        if logs is not None:
            logs["dev_cider"] = cider
        print(f"\n{f'epoch {epoch + 1}' if epoch >= 0 else 'at the start'}: dev CIDEr {100 * cider:.1f} (greedy)")
        for photo in self._photos[:SAMPLES]:
            print(f"  {photo.name}: {self.captions[photo.name]}", flush=True)


class CurvePlot(keras.callbacks.Callback):
    """Draws loss and dev CIDEr from the CSV log into a PNG, anew after each epoch."""

    def __init__(self, log: Path, picture: Path) -> None:
        super().__init__()
        self._log, self._picture = log, picture

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """The CSV logger runs before this callback, so the file holds the epoch."""
        plot_curves(self._log, self._picture)


def plot_curves(log: Path, picture: Path) -> None:
    """Training loss (left axis) and dev CIDEr (right axis) by epoch."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    with log.open() as lines:
        rows = list(csv.DictReader(lines))
    epochs = range(1, len(rows) + 1)
    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.add_subplot(xlabel="epoch", ylabel="training loss")
    left.plot(epochs, [float(row["loss"]) for row in rows], color="tab:blue", marker="o")
    right = left.twinx()
    right.set_ylabel("dev CIDEr × 100 (greedy)")
    right.plot(epochs, [100 * float(row["dev_cider"]) for row in rows], color="tab:orange", marker="s")
    figure.savefig(picture, dpi=120)
