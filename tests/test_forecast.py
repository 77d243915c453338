"""Laws of what a training tells while it runs: how far it is, when it will be done, what it says of photos."""

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures import corners
from training.board import board
from training.datasets import Photo
from training.forecast import Forecast, plan, seconds_left, spell
from training.options import TrainingOptions

EPOCH = 100  # seconds
STAGES = {"frozen": 4, "tuned": 2}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO, first: int = 0, batches: int = 10) -> list[str]:
    """A stage of `STAGES` from its epoch `first` on, in which a batch takes a tenth of `EPOCH`."""
    now = 0.0
    forecast = Forecast("frozen", STAGES, batches, stream=stream, clock=lambda: now)
    for epoch in range(first, STAGES["frozen"]):
        forecast.on_epoch_begin(epoch)
        for batch in range(batches):
            now += EPOCH / batches
            forecast.on_train_batch_end(batch, {"loss": 3.5})
        forecast.on_epoch_end(epoch, {"loss": 3.25, "dev_cider": 0.5})
    return stream.getvalue().splitlines()


def test_only_stages_that_are_asked_for_are_planned() -> None:
    assert plan(TrainingOptions(Path("data"), epochs=3)) == {"frozen": 3}
    init = TrainingOptions(Path("data"), init=Path("a"), epochs=0, fine_tune=True, reinforce=True)
    assert plan(init) == {"tuned": init.fine_tune_epochs, "reinforced": init.reinforce_epochs}


def test_what_is_left_falls_as_epochs_pass_and_counts_what_follows() -> None:
    left = [seconds_left(STAGES, "frozen", done, EPOCH) for done in (0, 0.5, 4)]
    assert [own for own, _ in left] == [4 * EPOCH, 3.5 * EPOCH, 0]
    assert all(whole > own for own, whole in left)
    assert seconds_left(STAGES, "tuned", 1, EPOCH) == (EPOCH, EPOCH)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (90, "90 s"), (150, "2 min"), (3570, "1 h 0 min"), (4800, "1 h 20 min")]
)
def test_times_read_as_people_say_them(seconds: float, text: str) -> None:
    assert spell(seconds) == text


def test_a_log_file_gets_a_line_an_epoch_and_one_a_minute_each_with_what_is_left() -> None:
    lines = run(io.StringIO())
    assert len(lines) == 2 * STAGES["frozen"]
    assert lines[0].startswith("frozen 1/4: 60 % of it, loss 3.500; 40 s left of the epoch; to go at most 6 min,")
    assert lines[1].startswith("frozen 1/4: loss 3.250, took 100 s; to go at most 5 min, with what follows")
    assert lines[-1].startswith("frozen 4/4: loss 3.250, took 100 s; to go at most 0 s")
    assert "\r" not in "".join(lines)


def test_a_terminal_gets_a_bar_that_is_gone_before_the_line_of_the_epoch() -> None:
    terminal = Terminal()
    run(terminal)
    assert "frozen 1/4:" in terminal.getvalue()
    assert "batch" in terminal.getvalue()
    assert "left of the epoch" not in terminal.getvalue()


def test_a_run_that_goes_on_counts_only_what_is_left() -> None:
    assert run(io.StringIO(), first=3)[-1] == run(io.StringIO())[-1]


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    corners(800, 600).save(tmp_path / "a.png")
    Image.new("L", (20, 10)).save(tmp_path / "b.png")
    return [Photo(name, tmp_path / name, ("A cat .",)) for name in ("a.png", "b.png")]


def test_tensorboard_shows_curves_captions_and_the_photos_once(photos: list[Photo], tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    said = {"a.png": "", "b.png": ""}
    (callback,) = board(tmp_path / "logs", photos, lambda: said)
    for epoch in range(3):
        said = {name: f"{name} in epoch {epoch}" for name in said}
        callback.on_epoch_end(epoch, {"loss": 3.0 - epoch, "dev_cider": 0.5})
    callback.on_train_end()
    read = EventAccumulator(str(tmp_path / "logs"))
    read.Reload()
    assert [(event.step, event.value) for event in read.Scalars("loss")] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    for photo in photos:
        texts = [event.tensor_proto.string_val[0] for event in read.Tensors(f"captions/{photo.name}")]
        assert texts == [f"{photo.name} in epoch {epoch}".encode() for epoch in range(3)]
        (image,) = read.Images(f"photos/{photo.name}")
        assert max(image.width, image.height) <= 320


def test_without_tensorboard_a_line_says_so_and_the_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], photos: list[Photo], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert board(tmp_path, photos, dict) == []
    assert "pip install tensorboard" in capsys.readouterr().out
