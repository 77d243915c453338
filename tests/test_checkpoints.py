"""Laws of checkpoints: whole or not at all, of one run only, and said in one line."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import RunError
from training import checkpoints
from training.checkpoints import Head, identity, look, path_of, read, read_head, replacing, write
from training.datasets import Photo
from training.options import TrainingOptions

from .full_disk import no_file_above

WEIGHTS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7.0, np.float32)]
PHOTOS = [Photo("a.jpg", Path("a.jpg"), ("one", "two")), Photo("b.jpg", Path("b.jpg"), ("three",))]


@pytest.fixture
def options(tmp_path: Path) -> TrainingOptions:
    return TrainingOptions(tmp_path / "data", work=tmp_path / "work", fine_tune=True)


def saved(options: TrainingOptions, stage: str = "frozen", *, finished: bool = False) -> Path:
    path = path_of(options.work, stage)
    rows = [{"epoch": 0, "loss": 3.5, "dev_cider": 0.4}, {"epoch": 1, "loss": float("nan"), "dev_cider": 0.5}]
    write(path, Head(identity(options), finished, 12.5, rows), best=WEIGHTS, weights=WEIGHTS[:1], optimizer=WEIGHTS[1:])
    return path


def test_what_was_written_is_read_again(options: TrainingOptions) -> None:
    found = read(saved(options))
    assert found.head.identity == identity(options)
    assert found.head.seconds == 12.5
    assert [row["dev_cider"] for row in found.head.rows] == [0.4, 0.5]
    for group, arrays in ((found.best, WEIGHTS), (found.weights, WEIGHTS[:1]), (found.optimizer, WEIGHTS[1:])):
        for one, two in zip(group, arrays, strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_writer_that_dies_half_way_leaves_the_checkpoint_before(options: TrainingOptions) -> None:
    def dying() -> Iterator[np.ndarray]:
        yield WEIGHTS[0] + 1
        raise KeyboardInterrupt

    path = saved(options)
    with pytest.raises(KeyboardInterrupt):
        write(path, Head({}), best=dying())
    np.testing.assert_array_equal(read(path).best[0], WEIGHTS[0])
    assert [file.name for file in path.parent.iterdir()] == ["frozen.npz"]


def test_a_full_disk_is_said_and_costs_nothing(options: TrainingOptions) -> None:
    path = saved(options)
    with no_file_above(4000), pytest.raises(RunError, match=r"frozen\.npz could not be written.*make room.*--resume"):
        write(path, Head({}), best=[np.zeros(100_000)])
    np.testing.assert_array_equal(read(path).best[0], WEIGHTS[0])
    assert [file.name for file in path.parent.iterdir()] == ["frozen.npz"]


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="could not be written"), replacing(tmp_path / "file" / "frozen.csv") as file:
        file.write(b"epoch")


@pytest.mark.parametrize("keep", [0, 10, 300, -30])
def test_a_damaged_checkpoint_is_named(options: TrainingOptions, keep: int) -> None:
    path = saved(options)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"frozen\.npz must be a whole checkpoint .*: delete it, and --resume"):
        read(path)
    with pytest.raises(RunError, match=r"frozen\.npz"):
        look(replace(options, resume=True))
    assert look(options) == 0  # a run that starts afresh does not care


def test_a_flipped_bit_is_noticed(options: TrainingOptions) -> None:
    path = saved(options)
    data = bytearray(path.read_bytes())
    data[data.index(WEIGHTS[0].tobytes()) + 5] ^= 1
    path.write_bytes(data)
    assert read_head(path).seconds == 12.5
    with pytest.raises(RunError, match="must be a whole checkpoint"):
        read(path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seed", 2, "the run began with --seed 1, not 2"),
        ("epochs", 30, "the run began with --epochs 12, not 30"),
        ("encoder", "vgg16", "the run began with --encoder resnet50, not vgg16"),
        ("reinforce", True, "the run began with --reinforce False, not True"),
    ],
)
def test_the_option_that_differs_is_named(options: TrainingOptions, name: str, value: object, said: str) -> None:
    saved(options)
    with pytest.raises(RunError) as error:
        look(replace(options, resume=True, **{name: value}))  # type: ignore[arg-type]
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_places_and_names_may_differ(options: TrainingOptions, tmp_path: Path) -> None:
    saved(options)
    moved = replace(options, resume=True, output=tmp_path / "other", dataset=tmp_path, name="other", tensorboard=True)
    assert look(moved) == 12.5


@pytest.mark.parametrize("change", ["caption", "photo", "order", "start"])
def test_other_captions_or_another_start_are_another_run(options: TrainingOptions, change: str) -> None:
    photos = {
        "caption": [replace(PHOTOS[0], captions=("one", "2")), PHOTOS[1]],
        "photo": PHOTOS[:1],
        "order": PHOTOS[::-1],
    }.get(change, PHOTOS)
    head = Head(identity(options, PHOTOS, "weights"))
    checkpoints.refuse_another(head, identity(options, PHOTOS, "weights"))
    what = "encoder and artifact" if change == "start" else "photos and captions"
    with pytest.raises(RunError, match=f"the {what} are not those"):
        checkpoints.refuse_another(head, identity(options, photos, "others" if change == "start" else "weights"))


def test_what_the_folder_holds_is_said(options: TrainingOptions, capsys: pytest.CaptureFixture[str]) -> None:
    def said(now: TrainingOptions) -> str:
        look(now)
        return capsys.readouterr().out

    assert said(options) == ""
    assert "no finished epoch, so training starts from the beginning" in said(replace(options, resume=True))
    saved(options)
    assert "holds a run that stopped after epoch 2 of the stage 'frozen': this one replaces it" in said(options)
    assert "going on after epoch 2 of the stage 'frozen'" in said(replace(options, resume=True))
    saved(options, finished=True)
    saved(options, "tuned")
    assert "after epoch 2 of the stage 'tuned'" in said(options)
    saved(options, "tuned", finished=True)
    assert said(options) == ""  # nothing is lost when a run that was done is replaced
    assert "after the last epoch of the stage 'tuned'" in said(replace(options, resume=True))


def test_an_identity_survives_json(options: TrainingOptions) -> None:
    told = identity(options, PHOTOS, "weights")
    assert json.loads(json.dumps(told)) == told
