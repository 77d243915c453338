"""Laws of a stage's progress: the best weights are kept, patience runs out when it should, whoever is killed."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest

from model.errors import RunError
from training.checkpoints import read, read_head
from training.progress import Progress

SCORES = (0.1, 0.5, 0.4, 0.5, 0.6, 0.2, 0.3, 0.1, 0.9)  # patience of 3 ends after the eighth
DATA = np.linspace(0, 1, 24).reshape(8, 3)


class Killed(BaseException):
    """No handler of exceptions stops it."""


class Score(keras.callbacks.Callback):
    """The dev scores as if they had been measured."""

    def __init__(self, killed_in: int | None) -> None:
        super().__init__()
        self._killed_in = killed_in

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        if epoch == self._killed_in:
            raise Killed
        logs["dev_cider"] = SCORES[epoch]


def stage(work: Path, *, resume: bool = False, killed_in: int | None = None, units: int = 3) -> keras.Model:
    """A network with dropout and averaged weights, fitted as the stages are."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.3), keras.layers.Dense(units)])
    begun: list[int] = []
    progress = Progress(
        work, "frozen", {"seed": 1}, resume=resume, patience=3, seed=1, clock=lambda: 1.0, begin=begun.append
    )
    if not progress.finished:
        model.compile(keras.optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.5), "mse")
        callbacks = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True), Score(killed_in), progress]
        model.fit(
            DATA, DATA[:, :units], batch_size=4, shuffle=False, verbose=0,
            epochs=len(SCORES), initial_epoch=progress.epoch, callbacks=callbacks,
        )  # fmt: skip
        assert begun == list(range(progress.epoch, 8))
    assert progress.finish(model) == 0.6
    return model


def weights(model: keras.Model) -> Sequence[np.ndarray]:
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sequence[np.ndarray], str]:
    work = tmp_path_factory.mktemp("undisturbed")
    return weights(stage(work)), (work / "frozen.csv").read_text()


@pytest.mark.parametrize("epoch", [0, 2, 6, 7])
def test_weights_log_and_patience_are_those_of_a_run_that_was_not_killed(
    undisturbed: tuple[Sequence[np.ndarray], str], epoch: int, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        stage(tmp_path, killed_in=epoch)
    model = stage(tmp_path, resume=True)
    for one, two in zip(undisturbed[0], weights(model), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-6)
    assert (tmp_path / "frozen.csv").read_text() == undisturbed[1]


def test_what_is_over_is_not_done_again_and_takes_less_room(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        stage(tmp_path, killed_in=4)
    running = (tmp_path / "frozen.npz").stat().st_size
    model = stage(tmp_path, resume=True)
    found = read(tmp_path / "frozen.npz")
    assert found.head.finished
    assert not found.weights
    assert not found.optimizer
    assert (tmp_path / "frozen.npz").stat().st_size < running
    (tmp_path / "frozen.csv").unlink()
    again = stage(tmp_path, resume=True)
    for one, two in zip(weights(model), weights(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert len((tmp_path / "frozen.csv").read_text().splitlines()) == 1 + 8


def test_a_run_that_starts_afresh_takes_nothing_over(tmp_path: Path) -> None:
    for later in ("tuned.npz", "reinforced.npz"):
        (tmp_path / later).write_bytes(b"of another run")
    with pytest.raises(Killed):
        stage(tmp_path, killed_in=2)
    stage(tmp_path)
    assert len(read_head(tmp_path / "frozen.npz").rows) == 8
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["frozen.csv", "frozen.npz"]


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        stage(tmp_path, killed_in=2)
    with pytest.raises(RunError, match=r"frozen\.npz must fit the networks"):
        stage(tmp_path, resume=True, units=2)
