"""How far a stage has come: its log, its best weights, the patience left, and the checkpoint between two epochs."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from model.errors import RunError
from training.checkpoints import STAGES, Arrays, Head, Row, path_of, read, refuse_another, replacing, write


class Progress(keras.callbacks.Callback):
    """Stands behind `SwapEMAWeights` and `DevScore`: averaged weights as an epoch ends, plain ones as it begins.

    Keras' own callbacks for these duties (BackupAndRestore, ModelCheckpoint, EarlyStopping, CSVLogger) keep no common
    state, so that a kill between two of them would part the weights from the patience.
    """

    def __init__(
        self,
        work: Path,
        stage: str,
        identity: Mapping[str, Any],
        *,
        resume: bool,
        patience: int,
        seed: int,
        clock: Callable[[], float],
        begin: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._work, self._stage, self._identity = work, stage, identity
        self._patience, self._seed, self._clock, self._begin = patience, seed, clock, begin
        path = path_of(work, stage)
        self._found = read(path) if resume and path.exists() else None
        self._rows: list[Row] = []
        self._best: Arrays = ()
        if self._found is not None:
            refuse_another(self._found.head, identity)
            self._rows, self._best = self._found.head.rows, self._found.best
            self._write_log()
        self.epoch = len(self._rows)  # the one to begin with
        self.finished = self._found is not None and self._found.head.finished

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Put everything back as it was when the checkpoint was written."""
        if self._found is None:
            return
        if not self.model.optimizer.built:  # `fit` has built it, `train_on_batch` is yet to come
            self.model.optimizer.build(self.model.trainable_variables)
        self._assign(self.model.weights, self._found.weights)
        self._assign(self.model.optimizer.variables, self._found.optimizer)
        self._found = None  # so that the arrays do not stay in memory

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the checkpoint, and let all that is random follow from the seed and the epoch."""
        if epoch > self.epoch:
            self._write(weights=self.model.weights, optimizer=self.model.optimizer.variables)
        self._begin(epoch)
        random = np.random.default_rng((self._seed, epoch, list(STAGES).index(self._stage)))
        for state in _seed_states(self.model):
            state.assign([int(random.integers(2**31)), 0])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Add the epoch to the log, keep its weights if they are the best, end the stage if patience has run out."""
        self._rows.append({"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}})
        self._write_log()
        scores = [row["dev_cider"] for row in self._rows]
        best = scores.index(max(scores))
        if best == epoch:
            self._best = self.model.get_weights()
        if epoch - best >= self._patience:
            self.model.stop_training = True

    def finish(self, model: keras.Model) -> float:
        """Give the model its best weights, and keep but these on disk; returns the best dev CIDEr."""
        if not self.finished:
            self._write(finished=True)
        self._assign(model.weights, self._best)
        return max(row["dev_cider"] for row in self._rows)

    def _write(self, *, finished: bool = False, **variables: Sequence[keras.Variable]) -> None:
        head = Head(self._identity, finished, self._clock(), self._rows)
        for stage in list(STAGES)[list(STAGES).index(self._stage) + 1 :]:
            path_of(self._work, stage).unlink(missing_ok=True)  # of a run that this one replaces
        arrays = {name: map(keras.ops.convert_to_numpy, group) for name, group in variables.items()}
        write(path_of(self._work, self._stage), head, best=self._best, **arrays)

    def _write_log(self) -> None:
        text = io.StringIO()
        log = csv.DictWriter(text, list(dict.fromkeys(name for row in self._rows for name in row)))
        log.writeheader()
        log.writerows(self._rows)
        with replacing(self._work / f"{self._stage}.csv") as file:
            file.write(text.getvalue().encode())

    def _assign(self, variables: Sequence[keras.Variable], arrays: Arrays) -> None:
        if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
            raise RunError(
                f"{path_of(self._work, self._stage)} must fit the networks of this run and does not (another version "
                "of Keras?): leave out --resume to start afresh"
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _seed_states(model: keras.Model) -> list[keras.Variable]:
    """Of dropout and its like: what the model holds beside its weights."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
