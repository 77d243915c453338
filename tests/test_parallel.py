"""Batches split among devices teach what they teach on one: real trainings on JAX, with two devices made of one CPU."""

import csv
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from model.errors import SettingsError
from model.tokenizer import END, START
from training.batches import CaptionBatches
from training.parallel import devices


def test_photos_that_fill_up_the_last_batch_teach_nothing() -> None:
    def last(count: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        captions = [[[START, 4 + row, END]] * 2 for row in range(5)]
        return CaptionBatches("rows", lambda rows, _: rows, captions, batch_size=3, max_words=4, devices=count)[1]

    (alone, _, weights), (filled, _, more) = last(1), last(3)
    assert len(alone["rows"]) == 2 and len(filled["rows"]) == 3
    np.testing.assert_array_equal(more[:2], weights)
    assert not more[2].any()


def test_another_backend_than_jax_is_refused() -> None:
    assert devices(wanted=False) == 1
    with pytest.raises(SettingsError, match="KERAS_BACKEND=jax"):
        devices(wanted=True)


def losses(folder: Path, dataset: Path, encoder: Path, count: int) -> list[float]:
    """Of each epoch of both stages; 32 photos in batches of 6, so the last has two."""
    command = (
        f"training/train.py --dataset {dataset} --encoder {encoder} --output {folder / 'artifacts'} --work {folder} "
        "--data-parallel --units 16 --heads 2 --min-count 1 --max-words 6 --batch-size 6 --epochs 2 --fine-tune "
        "--fine-tune-epochs 1"
    )
    variables = {"KERAS_BACKEND": "jax", "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
    done = subprocess.run(
        [sys.executable, *command.split()], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (f"split among {count} devices" in done.stdout) == (count > 1)
    logs = ((folder / f"{stage}.csv").read_text().splitlines() for stage in ("frozen", "tuned"))
    return [float(row["loss"]) for log in logs for row in csv.DictReader(log)]


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: pip install jax")
def test_two_devices_have_the_losses_of_one(colour_dataset: Path, tiny_encoder_file: Path, tmp_path: Path) -> None:
    one, two = (losses(tmp_path / str(count), colour_dataset, tiny_encoder_file, count) for count in (1, 2))
    assert len(one) == 3
    assert two == pytest.approx(one, rel=1e-4)
