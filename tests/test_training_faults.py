"""Laws of what goes wrong around a training: one line that says what to do, nothing lost, nothing half-written."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from model.bundle import load_bundle, save_bundle
from model.checksums import verify
from model.encoder import build_encoder
from model.errors import ArtifactError, RunError
from training import stages
from training.features import extract
from training.train import main

from .full_disk import no_file_above


def arguments(dataset: Path, encoder: Path, folder: Path, more: str = "") -> list[str]:
    return (
        f"--dataset {dataset} --encoder {encoder} --output {folder / 'artifacts'} --work {folder / 'work'} --units 8 "
        f"--decoder merge --heads 2 --min-count 1 --max-words 6 --batch-size 8 --epochs 1 {more}"
    ).split()


@pytest.fixture
def photos(colour_dataset: Path) -> list[Path]:
    return sorted((colour_dataset / "Images").iterdir())


@pytest.fixture
def encoder(tiny_encoder_file: Path) -> keras.Model:
    return build_encoder(str(tiny_encoder_file))


@pytest.fixture
def artifact(tiny_artifact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_artifact, tmp_path / "artifacts")


# ---------------------------------------------------------------- features


def test_features_take_their_room_before_anything_is_computed(
    encoder: keras.Model, photos: list[Path], tmp_path: Path
) -> None:
    path = extract(encoder, photos, tmp_path).path
    assert path.stat().st_blocks * 512 >= path.stat().st_size  # a hole in it could end in SIGBUS


def test_features_without_room_are_said_and_leave_nothing(
    encoder: keras.Model, photos: list[Path], tmp_path: Path
) -> None:
    with no_file_above(5000), pytest.raises(RunError, match=r"the features of 40 photos need .* GB .*: make room"):
        extract(encoder, photos, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("file", ["features.npy", "progress.json"])
@pytest.mark.parametrize("keep", [0, 20, 200])
def test_damaged_features_are_computed_anew(
    encoder: keras.Model, photos: list[Path], tmp_path: Path, file: str, keep: int
) -> None:
    whole = extract(encoder, photos, tmp_path)
    before, path = np.load(whole.path), whole.path.with_name(file)
    path.write_bytes(path.read_bytes()[:keep])
    np.testing.assert_array_equal(np.load(extract(encoder, photos, tmp_path).path), before)


# ---------------------------------------------------------------- the artifact


def test_a_full_disk_leaves_the_artifact_that_was_there(artifact: Path) -> None:
    bundle, before = load_bundle(artifact), (artifact / "SHA256SUMS").read_text()
    with no_file_above(3000), pytest.raises(ArtifactError, match=r"could not be written .*: make room there"):
        save_bundle(artifact, bundle)
    verify(artifact)
    assert (artifact / "SHA256SUMS").read_text() == before
    assert [folder.name for folder in artifact.parent.iterdir()] == ["artifacts"]


def test_what_goes_beside_the_artifact_comes_with_it_or_not_at_all(artifact: Path) -> None:
    def fail(_: Path) -> None:
        raise OSError(28, "No space left on device")

    bundle = load_bundle(artifact)
    with pytest.raises(ArtifactError, match="No space left on device"):
        save_bundle(artifact, bundle, fail)
    verify(artifact)
    save_bundle(artifact, bundle, lambda folder: (folder / "split.json").touch())
    assert (artifact / "split.json").exists()


def test_a_kill_between_the_two_renames_loses_no_artifact(artifact: Path) -> None:
    bundle = load_bundle(artifact)
    artifact.rename(artifact.with_name("artifacts.old"))
    with no_file_above(3000), pytest.raises(ArtifactError):
        save_bundle(artifact, bundle)
    verify(artifact)  # the old one, back in its place


def test_an_output_that_cannot_be_written_is_said_before_the_training(
    colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "artifacts").write_text("a file")
    assert main(arguments(colour_dataset, tiny_encoder_file, tmp_path)) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'artifacts'} could not be written (Not a directory)" in error
    assert not (tmp_path / "work" / "features").exists()


# ---------------------------------------------------------------- photos


class Vanish(keras.callbacks.Callback):
    """A photo is gone as the second epoch begins."""

    def __init__(self, photo: Path) -> None:
        super().__init__()
        self._photo = photo

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if epoch == 1:
            self._photo.unlink()


def test_a_photo_that_vanishes_is_named_and_once_it_is_back_the_run_goes_on(
    colour_dataset: Path,
    tiny_encoder_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    album = shutil.copytree(colour_dataset, tmp_path / "album")
    name = "red00.png"
    options = arguments(album, tiny_encoder_file, tmp_path, "--fine-tune --fine-tune-epochs 2")
    callbacks = stages._callbacks

    def with_theft(run: stages.Run, features: Any, stage: str, *rest: Any) -> tuple[Any, list[Any]]:
        progress, usual = callbacks(run, features, stage, *rest)
        return progress, [*usual, Vanish(album / "Images" / name)]

    monkeypatch.setattr(stages, "_callbacks", with_theft)
    assert main(options) == 2
    error = capsys.readouterr().err
    assert name in error.splitlines()[-1]
    assert "--resume" in error.splitlines()[-1]
    assert "Traceback" not in error
    monkeypatch.setattr(stages, "_callbacks", callbacks)
    shutil.copy2(colour_dataset / "Images" / name, album / "Images" / name)
    assert main([*options, "--resume"]) == 0
    assert len(load_bundle(tmp_path / "artifacts").config.training["history"]["tuned"]) == 2
