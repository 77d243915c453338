"""Batches split among devices teach what they teach on one: real trainings, with two devices made of one CPU."""

import csv
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from model.errors import SettingsError
from model.tokenizer import END, START
from training.batches import CaptionBatches
from training.parallel import devices
from training.train import main

TWO_ON_TENSORFLOW = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from training.train import main
sys.exit(main(sys.argv[1:]))
"""


def test_photos_that_fill_up_the_last_batch_teach_nothing() -> None:
    def last(count: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        captions = [[[START, 4 + row, END]] * 2 for row in range(5)]
        return CaptionBatches("rows", lambda rows, _: rows, captions, batch_size=3, max_words=4, devices=count)[1]

    (alone, _, weights), (filled, _, more) = last(1), last(3)
    assert len(alone["rows"]) == 2 and len(filled["rows"]) == 3
    np.testing.assert_array_equal(more[:2], weights)
    assert not more[2].any()


def test_pytorch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert devices(wanted=False) == 1
    with pytest.raises(SettingsError, match="set KERAS_BACKEND"):
        devices(wanted=True)


def arguments(folder: Path, dataset: Path, encoder: Path, more: str = "") -> list[str]:
    """Of training/train.py: both stages, on 32 photos in batches of 6, so the last has two."""
    return (
        f"--dataset {dataset} --encoder {encoder} --output {folder / 'artifacts'} --work {folder} --data-parallel "
        "--units 16 --heads 2 --min-count 1 --max-words 6 --batch-size 6 --epochs 2 --fine-tune --fine-tune-epochs 1 "
        f"{more}"
    ).split()


def losses(folder: Path) -> list[float]:
    """Of each epoch of both stages."""
    logs = ((folder / f"{stage}.csv").read_text().splitlines() for stage in ("frozen", "tuned"))
    found = [float(row["loss"]) for log in logs for row in csv.DictReader(log)]
    assert len(found) == 3
    return found


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="another backend was asked for: KERAS_BACKEND")
def test_two_devices_have_the_losses_of_one_on_tensorflow(
    colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path
) -> None:
    # Without dropout, which every device draws for itself there; the rate is high so that wrong gradients show; the
    # smaller decoder is compiled in half the time.
    more = "--decoder merge --dropout 0 --learning-rate 0.01 --encoder-rate 0.01 --decoder-rate 0.01"
    one, two = (arguments(tmp_path / name, colour_dataset, tiny_encoder_file, more) for name in ("one", "two"))
    told = tmp_path / "two.txt"
    with (
        told.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-c", TWO_ON_TENSORFLOW, *two],
            env=os.environ | {"KERAS_BACKEND": "tensorflow"},
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as other,
    ):
        assert main(one) == 0  # while the other is on its way
    assert other.returncode == 0, told.read_text()[-2000:]
    assert "split among 2 devices" in told.read_text()
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: pip install jax")
def test_two_devices_have_the_losses_of_one_on_jax(
    colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path
) -> None:
    for count in (1, 2):
        done = subprocess.run(
            [sys.executable, "training/train.py", *arguments(tmp_path / str(count), colour_dataset, tiny_encoder_file)],
            env=os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert (f"split among {count} devices" in done.stdout) == (count > 1)
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "1"), rel=1e-4)
