"""Laws of the training command; most of the run itself is seen through the tiny artifact."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import pytest

from model.bundle import build_decoder, load_bundle
from model.captioner import CaptionGenerator
from model.config import BundleConfig, DecoderConfig
from model.encoder import build_encoder
from model.errors import SettingsError
from model.tokenizer import Tokenizer
from training import stages
from training.datasets import load_dataset
from training.options import TrainingOptions, parse
from training.train import main

ROOT = Path(__file__).parent.parent


def shell(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "training/train.py", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_help_answers_at_once() -> None:
    shell("--help")  # compiles the modules
    started = time.perf_counter()
    run = shell("--help")
    assert run.returncode == 0
    assert "--dataset" in run.stdout
    assert time.perf_counter() - started < 10  # ten times the second that is promised: other work may run beside


def test_a_bare_call_says_what_is_missing_and_where_to_get_it() -> None:
    run = shell()
    assert run.returncode == 2
    for part in ("--dataset DIR is missing", "Flickr8k", "Flickr30k"):
        assert part in run.stderr


def test_a_folder_without_a_dataset_is_refused_before_keras_is_loaded(tmp_path: Path) -> None:
    run = shell("--dataset", tmp_path)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert str(tmp_path) in run.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("crop", 0.2),
        ("zoom", 0.0),
        ("dropout", 1.0),
        ("fine_tune_epochs", -1),
        ("samples", 1),
        ("reinforce_encoder_rate", 1.0),
    ],
)
def test_impossible_options_are_named(option: str, value: float, capsys: pytest.CaptureFixture[str]) -> None:
    flag = "--" + option.replace("_", "-")
    values: dict[str, Any] = {"dataset": Path("data"), option: value}
    with pytest.raises(SettingsError, match=flag):
        TrainingOptions(**values)
    with pytest.raises(SystemExit):
        parse(["--dataset", "data", flag, str(value)])
    assert flag in capsys.readouterr().err


def test_every_option_has_a_flag_with_the_same_default() -> None:
    assert parse(["--dataset", "data"]) == TrainingOptions(Path("data"))


def test_a_run_leaves_logs_a_plot_and_a_record(tiny_artifact: Path) -> None:
    work = tiny_artifact.parent / "work"
    for stage, epochs in (("frozen", 20), ("tuned", 2)):
        with (work / f"{stage}.csv").open() as lines:
            rows = list(csv.DictReader(lines))
        assert 1 <= len(rows) <= epochs
        assert {"epoch", "loss", "dev_cider"} <= set(rows[0])
        assert (work / f"{stage}.png").read_bytes().startswith(b"\x89PNG")
    config = BundleConfig.from_dict(json.loads((tiny_artifact / "config.json").read_text()))
    assert config.training["command"].startswith("python training/train.py --dataset")
    assert config.training["options"]["fine_tune"] is True
    assert config.encoder["source"]["name"] == "tiny.keras"


def test_a_drawn_split_is_written_beside_the_model(tiny_artifact: Path, colour_dataset: Path) -> None:
    drawn = load_dataset(colour_dataset, seed=1)
    written = load_dataset(colour_dataset, seed=99, split_file=tiny_artifact / "split.json")
    assert written.splits == drawn.splits
    assert written.splits != load_dataset(colour_dataset, seed=99).splits


def test_fine_tuning_moves_every_convolution_and_no_batch_norm(
    colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path
) -> None:
    options = TrainingOptions(
        colour_dataset, work=tmp_path, batch_size=8, fine_tune=True, fine_tune_epochs=1, encoder_rate=0.01
    )
    encoder, dataset = build_encoder(str(tiny_encoder_file)), load_dataset(colour_dataset)
    train, dev = (stages.extract_split(encoder, dataset.splits[name], tmp_path) for name in ("train", "dev"))
    tokenizer = Tokenizer.fit(caption for photo in train.photos for caption in photo.captions)
    decoder = build_decoder(DecoderConfig(len(tokenizer), channels=8, units=16, heads=2))
    tuned, _ = stages.fine_tune(stages.Run(options, tokenizer, decoder, train, dev), encoder)
    for old, new in zip(encoder.layers, tuned.layers, strict=True):
        for before, after in zip(old.get_weights(), new.get_weights(), strict=True):
            assert (before != after).any() == isinstance(new, keras.layers.Conv2D)


def test_fine_tuning_is_kept_if_and_only_if_it_helped(tiny_artifact: Path, tiny_encoder_file: Path) -> None:
    saved = load_bundle(tiny_artifact)
    scores = saved.config.training["dev_cider_own_tokens"]
    start = build_encoder(str(tiny_encoder_file)).get_weights()
    kept = any((a.astype("float16") != b).any() for a, b in zip(start, saved.encoder.get_weights(), strict=True))
    assert kept == (scores["fine-tuned"] > scores["frozen"])


def test_the_other_decoder_trains_too_with_tensorboard(
    colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path
) -> None:
    status = main(
        f"--dataset {colour_dataset} --encoder {tiny_encoder_file} --output {tmp_path / 'artifacts'} "
        f"--work {tmp_path / 'work'} --decoder merge --cell gru --lstm-layers 2 --units 16 --min-count 1 --max-words 6 "
        "--epochs 2 --batch-size 8 --fine-tune --fine-tune-epochs 1 --tensorboard".split()
    )
    assert status == 0
    assert CaptionGenerator.load(tmp_path / "artifacts").info["decoder"] == "merge"
    sizes = load_bundle(tmp_path / "artifacts").config.decoder
    assert (sizes.cell, sizes.lstm_layers) == ("gru", 2)
    assert list((tmp_path / "work" / "tensorboard").rglob("events.out.*"))


def test_the_seed_decides_the_run(colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path) -> None:
    def losses(name: str, seed: int) -> list[str]:
        main(
            f"--dataset {colour_dataset} --encoder {tiny_encoder_file} --output {tmp_path / name / 'artifacts'} "
            f"--work {tmp_path / name} --units 16 --heads 2 --min-count 1 --max-words 6 --epochs 2 --batch-size 8 "
            f"--seed {seed}".split()
        )
        with (tmp_path / name / "frozen.csv").open() as lines:
            return [f"{float(row['loss']):.4f}" for row in csv.DictReader(lines)]

    assert losses("one", 1) == losses("twin", 1)
    assert losses("one", 1) != losses("other", 2)
