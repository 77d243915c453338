"""Memory does not grow with the number of photos; the command that measures it counts right."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks.scale import Memory, page, write_dataset
from training.datasets import load_dataset
from training.features import extract

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def megabytes(name: str) -> float:
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(name)) / 1024


@pytest.mark.skipif(not CLEAR.exists(), reason="only Linux tells, and resets, the most that a process has held")
def test_features_are_made_and_read_in_a_part_of_the_memory_that_they_would_fill(tmp_path: Path) -> None:
    pixels = keras.Input((14, 14, 3))
    grid = keras.layers.Conv2D(2048, 1)(keras.layers.AveragePooling2D(2)(pixels))
    encoder, photos = keras.Model(pixels, grid), [tmp_path / f"{number}.bmp" for number in range(2000)]
    for number, path in enumerate(photos):
        Image.new("RGB", (14, 14), (number % 256, number // 256, 7)).save(path)
    extract(encoder, photos[:128], tmp_path / "warm")  # what TensorFlow takes once
    CLEAR.write_text("5")
    before = megabytes("VmRSS:")
    found = extract(encoder, photos, tmp_path / "cache")
    for rows in np.random.default_rng(0).permutation(2000).reshape(-1, 16):
        assert len(found.grid[rows]) == 16
    assert found.path.stat().st_size > 400e6
    assert megabytes("VmHWM:") - before < 150


def test_made_up_photos_are_a_data_set_of_which_no_two_files_are_alike(tmp_path: Path) -> None:
    dataset = load_dataset(write_dataset(tmp_path / "data", 40, words=50))
    photos = [photo for split in dataset.splits.values() for photo in split]
    assert len(photos) == 40 and not dataset.left_out
    assert {len(photo.captions) for photo in photos} == {5}
    assert len({photo.path.read_bytes() for photo in photos}) == 40


def test_the_most_of_each_phase_is_kept_and_compared_with_the_limit() -> None:
    memory = Memory()
    for resident in (1, 3, 2):
        memory.note("features", f"Name:\tpython\nVmRSS:\t{resident * 1024} kB\nRssAnon:\t1024 kB\n")
    assert memory.resident == {"features": 3.0} and memory.anonymous == {"features": 1.0}
    assert "3 / 1" in page({"few": memory}) and "reached" in page({"few": memory})
    memory.note("features", f"VmRSS:\t{5000 * 1024} kB\nRssAnon:\t0 kB\n")
    assert "**missed**" in page({"few": memory})
