"""The law of --resume: a training that was killed and gone on with ends as one that never was."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from model.bundle import build_decoder, load_bundle
from model.config import DecoderConfig
from model.encoder import build_encoder
from model.tokenizer import Tokenizer
from training import stages
from training.datasets import load_dataset
from training.options import TrainingOptions
from training.train import main

ROOT = Path(__file__).parent.parent
Weights = list[np.ndarray]


class Killed(BaseException):
    """As little caught by anybody as SIGKILL is."""


class Kill(keras.callbacks.Callback):
    """Ends everything in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch, self._now = epoch, -1

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._now = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._now == self._epoch and batch == 1:
            raise Killed


@dataclass
class Training:
    """The stages on the colours, as a process would run them that was just started."""

    options: TrainingOptions
    encoder: Path

    def run(self) -> tuple[Weights, dict[str, float], dict[str, list[dict[str, float]]]]:
        keras.utils.set_random_seed(self.options.seed)
        encoder, dataset = build_encoder(str(self.encoder)), load_dataset(self.options.dataset)
        train, dev = (
            stages.extract_split(encoder, dataset.splits[split], self.options.work) for split in ("train", "dev")
        )
        tokenizer = Tokenizer.fit(caption for photo in train.photos for caption in photo.captions)
        decoder = build_decoder(DecoderConfig(len(tokenizer), channels=8, kind="merge", units=8, heads=2, dropout=0.2))
        run = stages.Run(self.options, tokenizer, decoder, train, dev)
        scores = stages.run_all(run, encoder)
        return [*encoder.get_weights(), *decoder.get_weights()], scores, stages.history(self.options)


@pytest.fixture
def training(colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path) -> Training:
    options = TrainingOptions(
        colour_dataset, work=tmp_path / "one", epochs=1, batch_size=8, learning_rate=0.01, max_words=6, min_count=1,
        reinforce=True, reinforce_epochs=3, reinforce_encoder_rate=1e-3, reinforce_decoder_rate=1e-3, samples=2,
        average=0.5,
    )  # fmt: skip
    return Training(options, tiny_encoder_file)


def test_killed_in_self_critical_training_it_ends_as_one_that_never_was(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, scores, history = training.run()
    callbacks = stages._callbacks

    def deadly(run: stages.Run, features: Any, stage: str, *rest: Any) -> tuple[Any, list[Any]]:
        progress, usual = callbacks(run, features, stage, *rest)
        return progress, [*usual, Kill(2)]

    training.options = replace(training.options, work=tmp_path / "two")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(stages, "_callbacks", deadly)
        training.run()
    training.options = replace(training.options, resume=True)
    resumed, its_scores, its_history = training.run()
    assert {stage: len(rows) for stage, rows in history.items()} == {"frozen": 1, "reinforced": 3}
    for stage, rows in history.items():
        for row, twin in zip(rows, its_history[stage], strict=True):
            assert twin == pytest.approx(row, rel=1e-4), stage
    assert its_scores == pytest.approx(scores, rel=1e-4)
    for one, two in zip(weights, resumed, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-5)


def command(dataset: Path, encoder: Path, folder: Path) -> list[str]:
    return (
        f"{sys.executable} training/train.py --dataset {dataset} --encoder {encoder} --output {folder / 'artifacts'} "
        f"--work {folder / 'work'} --decoder merge --units 8 --heads 2 --min-count 1 --max-words 6 --epochs 8 "
        "--patience 8 --batch-size 8 --fine-tune --fine-tune-epochs 8 --encoder-rate 0.001"
    ).split()


def stop(arguments: list[str], after: Path, how: signal.Signals) -> tuple[int, str]:
    """Start a training, and send it a signal as soon as the log `after` is there."""
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not after.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(how)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def test_ctrl_c_and_sigkill_of_a_real_process_lose_nothing(
    colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path
) -> None:
    undisturbed, folder = command(colour_dataset, tiny_encoder_file, tmp_path / "one"), tmp_path / "two"
    assert main(undisturbed[2:]) == 0
    arguments = command(colour_dataset, tiny_encoder_file, folder)
    status, said = stop(arguments, folder / "work" / "frozen.csv", signal.SIGINT)
    assert status == 130
    assert "--resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    status, _ = stop([*arguments, "--resume"], folder / "work" / "tuned.csv", signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert not (folder / "artifacts").exists()
    assert main([*arguments[2:], "--resume"]) == 0
    one, two = (load_bundle(tmp_path / name / "artifacts") for name in ("one", "two"))
    assert two.config.decoding == one.config.decoding
    for name in ("history", "dev_cider_own_tokens"):
        assert numbers(two.config.training[name]) == pytest.approx(numbers(one.config.training[name]), rel=1e-3)
    for network, twin in ((one.encoder, two.encoder), (one.decoder, two.decoder)):
        for weight, its_twin in zip(network.get_weights(), twin.get_weights(), strict=True):
            np.testing.assert_allclose(its_twin, weight, rtol=2e-3, atol=1e-4)


def numbers(record: Any, path: str = "") -> dict[str, float]:
    """Every figure of nested records, by the way to it."""
    if not isinstance(record, dict | list):
        return {path: record}
    items = record.items() if isinstance(record, dict) else enumerate(record)
    return {way: figure for name, part in items for way, figure in numbers(part, f"{path}/{name}").items()}
