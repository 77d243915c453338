"""Laws of eight bits: near what they stand for, only where calibrated, and gone when the graph is made."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from model.bundle import load_bundle, save_bundle
from model.errors import ArtifactError
from training.calibration import input_ranges

from .bundles import untrained

ROOT = Path(__file__).parent.parent
# In a process of its own: this one computes on TensorFlow. Whether the processor has units for int8 changes the speed
# alone, so the rounding itself is tried everywhere.
ROUND = """
import json, sys
from model import runtime
import numpy as np
from model.bundle import load_bundle
runtime.has_int8_units = lambda: True
encoder, pixels = load_bundle(sys.argv[1]).encoder, np.load(sys.argv[2])
ranges = json.loads(sys.argv[3])
exact = runtime.compiled_network(encoder, "float32", ranges)(pixels).copy()
found = {
    "rounded": runtime.compiled_network(encoder, "fastest", ranges)(pixels).copy(),
    "elsewhere": runtime.compiled_network(encoder, "fastest", {})(pixels).copy(),
    "again": runtime.compiled_network(encoder, "float32", ranges)(pixels).copy(),
}
print(json.dumps({name: float(np.abs(array - exact).mean() / np.abs(exact).mean()) for name, array in found.items()}))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(20)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (24, 16, 3), dtype=np.uint8)).save(path)
    return paths


def test_ranges_hold_all_that_a_convolution_was_given(photos: list[Path]) -> None:
    encoder = untrained().encoder
    (name,) = (layer.name for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D))
    pixels = np.stack([np.asarray(Image.open(path)) for path in photos]) / 60
    assert input_ranges(encoder, photos)[name] == pytest.approx([pixels.min(), pixels.max()])


def test_a_convolution_that_is_always_given_the_same_has_no_range(photos: list[Path]) -> None:
    pixels = keras.Input((24, 16, 3))
    blind = keras.Model(pixels, keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(0)(pixels)))
    assert input_ranges(blind, photos) == {}


def test_an_encoder_without_convolutions_has_no_ranges(photos: list[Path]) -> None:
    pixels = keras.Input((24, 16, 3))
    assert input_ranges(keras.Model(pixels, keras.layers.AveragePooling2D(8)(pixels)), photos) == {}


def test_eight_bits_stay_near_float32_and_change_nothing_else(photos: list[Path], tmp_path: Path) -> None:
    bundle = untrained()
    save_bundle(tmp_path / "artifact", bundle)
    np.save(tmp_path / "pixels.npy", np.stack([np.asarray(Image.open(path)) for path in photos]))
    ranges = json.dumps(input_ranges(bundle.encoder, photos))
    run = subprocess.run(
        [sys.executable, "-c", ROUND, tmp_path / "artifact", tmp_path / "pixels.npy", ranges],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": "openvino"},
        capture_output=True,
        text=True,
        check=True,
    )
    apart: dict[str, Any] = json.loads(run.stdout)
    assert 1e-4 < apart["rounded"] < 0.05
    assert apart["elsewhere"] < apart["rounded"]
    assert apart["again"] == 0


def test_ranges_come_back_with_the_artifact_and_must_fit_the_encoder(tmp_path: Path, photos: list[Path]) -> None:
    bundle = untrained()

    def calibrated(ranges: dict[str, list[float]]) -> None:
        encoder = {**bundle.config.encoder, "ranges": ranges}
        save_bundle(tmp_path / "artifact", replace(bundle, config=replace(bundle.config, encoder=encoder)))

    ranges = input_ranges(bundle.encoder, photos)
    calibrated(ranges)
    assert load_bundle(tmp_path / "artifact").config.encoder["ranges"] == ranges
    with pytest.raises(ArtifactError, match="ranges"):
        calibrated({"no such layer": [0, 1]})
    with pytest.raises(ArtifactError, match="ranges"):
        calibrated({name: [high, low] for name, (low, high) in ranges.items()})
