"""Laws of a training's options: a flag wins over the file, the file over the default, and a saved run comes back."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from model.config import DecoderConfig
from training.options import FEW, FEW_PHOTOS, NETWORK, TrainingOptions, parse

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write_file


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(write: Write) -> None:
    file = write("run.toml", 'dataset = "photos"\nepochs = 3\nbatch_size = 7\nfine_tune = true\nlearning_rate = 1e-3\n')
    options = parse(["--config", str(file), "--epochs", "4", "--no-fine-tune"])
    assert options == TrainingOptions(Path("photos"), epochs=4, batch_size=7, fine_tune=False, learning_rate=1e-3)


def test_toml_and_json_say_the_same(write: Write) -> None:
    toml = write("run.toml", 'dataset = "photos"\ninit = "artifacts"\ndropout = 0\nencoder_rate = 1e-4\n')
    other = write(
        "run.json", json.dumps({"dataset": "photos", "init": "artifacts", "dropout": 0, "encoder_rate": 1e-4})
    )
    assert parse(["--config", str(toml)]) == parse(["--config", str(other)])


@pytest.mark.parametrize(
    "flags",
    ["", "--fine-tune --crop 0.9 --tensorboard", "--init artifacts", "--init artifacts --epochs 0 --min-count 3"],
)
@pytest.mark.parametrize("photos", [FEW_PHOTOS, FEW_PHOTOS + 1])
def test_what_a_run_saved_resolves_to_the_same_options(flags: str, photos: int, write: Write) -> None:
    options = parse(["--dataset", "photos", *flags.split()]).for_photos(photos)
    file = write("config.json", json.dumps(options.to_dict()))
    assert parse(["--config", str(file)]).for_photos(7) == options


def test_few_photos_change_what_was_not_chosen() -> None:
    few = parse(["--dataset", "photos", "--init", "artifacts", "--epochs", "5"]).for_photos(FEW_PHOTOS)
    assert few == TrainingOptions(Path("photos"), init=Path("artifacts"), **{**FEW, "epochs": 5})


@pytest.mark.parametrize(("init", "photos"), [(None, 40), (Path("artifacts"), FEW_PHOTOS + 1)])
def test_only_few_photos_and_a_trained_artifact_change_defaults(init: Path | None, photos: int) -> None:
    options = TrainingOptions(Path("photos"), init=init)
    assert options.for_photos(photos) == options


@pytest.mark.parametrize("flag", ["--units 512", "--encoder resnet50", "--decoder merge", "--heads 8"])
def test_an_artifact_to_start_from_brings_its_own_networks(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--dataset", "photos", "--init", "artifacts", *flag.split()])
    error = capsys.readouterr().err
    assert "artifacts" in error
    assert f"leave out {flag.split(maxsplit=1)[0]}\n" in error


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("run.toml", "epoch = 3", ["'epoch'", "'epochs'"]),
        ("run.toml", "batch-size = 3", ["'batch-size'", "'batch_size'"]),
        ("run.json", '{"given": ["epochs"]}', ["'given'"]),
        ("run.json", '{"epochs": "3"}', ["'epochs'", "a whole number", '"3"']),
        ("run.json", '{"epochs": true}', ["'epochs'", "a whole number", "true"]),
        ("run.json", '{"fine_tune": 1}', ["'fine_tune'", "true or false", "1"]),
        ("run.toml", "dropout = [0.1]", ["'dropout'", "a number", "[0.1]"]),
        ("run.toml", "since = 2026-11-21", ["'since'"]),
        ("run.toml", "seed = 2026-11-21", ["'seed'", "2026-11-21"]),
        ("run.json", '{"dataset": 7}', ["'dataset'", "a path", "7"]),
        ("run.json", '{"precision": "float16"}', ["--precision", "float32 or mixed_bfloat16", "float16"]),
        ("run.json", "[]", ["one object"]),
        ("run.json", "epochs = 3", ["JSON"]),
        ("run.toml", "epochs: 3", ["TOML"]),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    name: str, text: str, words: list[str], write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse(["--dataset", "photos", "--config", str(write(name, text))])
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert error.count("\n") == 1
    for word in [name, *words]:
        assert word in error


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--config", str(tmp_path / "none.toml")])
    assert "none.toml" in capsys.readouterr().err


def test_whatever_makes_a_decoder_comes_with_the_artifact() -> None:
    sizes = {each.name for each in fields(DecoderConfig)} - {"vocabulary", "channels", "dropout"}
    assert {"decoder" if name == "kind" else name for name in sizes} <= set(NETWORK)
