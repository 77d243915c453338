"""How far a training has come, and when it will be done: a bar on a terminal, plain lines in a log file."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import keras
from tqdm import tqdm

from training.options import TrainingOptions

# What an epoch costs beside one with the encoder frozen (docs/lab.md). Only a stage that has not begun is counted so.
_COSTS = {"frozen": 1, "tuned": 4, "reinforced": 9}
_SILENCE = 60  # seconds without a line


def plan(options: TrainingOptions) -> dict[str, int]:
    """The stages that the options ask for, and how many epochs each may take."""
    epochs = {
        "frozen": options.epochs,
        "tuned": options.fine_tune_epochs * options.fine_tune,
        "reinforced": options.reinforce_epochs * options.reinforce,
    }
    return {stage: count for stage, count in epochs.items() if count}


def seconds_left(stages: Mapping[str, int], stage: str, done: float, pace: float) -> tuple[float, float]:
    """Seconds that are left of a stage, and of it with all that follow, if none of them stops early.

    `done` epochs of the stage are behind us, a fraction of the present one among them; one takes `pace` seconds.
    """
    names = list(stages)
    own = pace * (stages[stage] - done)
    later = names[names.index(stage) + 1 :]
    return own, own + sum(pace * stages[name] * _COSTS[name] / _COSTS[stage] for name in later)


def spell(seconds: float) -> str:
    """Such as 90 s, 6 min or 1 h 20 min."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Forecast(keras.callbacks.Callback):
    """Tells of every epoch what it took and what is left; meanwhile a bar, or where no terminal is, a line a minute.

    Stands behind the callbacks whose time counts as the epoch's.
    """

    def __init__(
        self,
        stage: str,
        stages: Mapping[str, int],
        batches: int,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._stage, self._stages, self._batches = stage, stages, batches
        self._stream, self._clock = stream or sys.stdout, clock
        self._took: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """A new bar."""
        self._epoch, self._begun = epoch, self._clock()
        self._told = self._begun
        self._bar = tqdm(
            total=self._batches,
            desc=self._name(),
            unit="batch",
            leave=False,
            file=self._stream,
            disable=not self._stream.isatty(),
        )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """The bar closes with the last batch, before others print what the epoch gave."""
        share, loss = (batch + 1) / self._batches, (logs or {}).get("loss", float("nan"))
        self._bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
        self._bar.update()
        if share >= 1:
            self._bar.close()
        elif self._bar.disable and self._clock() - self._told >= _SILENCE:
            self._told = self._clock()
            pace = self._pace((self._told - self._begun) / share)
            of_epoch = spell(pace * (1 - share))
            self._say(f"{100 * share:.0f} % of it, loss {loss:.3f}; {of_epoch} left of the epoch", share, pace)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """What the epoch gave, and what is left."""
        self._took.append(self._clock() - self._begun)
        loss = (logs or {}).get("loss", float("nan"))
        self._say(f"loss {loss:.3f}, took {spell(self._took[-1])}", 1, self._pace())

    def _pace(self, guess: float = 0.0) -> float:
        """Seconds an epoch. The first compiles what the others run, so it counts only while it is alone."""
        usual = self._took[1:] or self._took
        return sum(usual) / len(usual) if usual else guess

    def _name(self) -> str:
        return f"{self._stage} {self._epoch + 1}/{self._stages[self._stage]}"

    def _say(self, what: str, share: float, pace: float) -> None:
        own, all_ = seconds_left(self._stages, self._stage, self._epoch + share, pace)
        last = self._stage == list(self._stages)[-1]
        rest = spell(own) if last else f"{spell(own)}, with what follows {spell(all_)}"
        print(f"{self._name()}: {what}; to go at most {rest}", file=self._stream, flush=True)
