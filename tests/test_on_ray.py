"""The engine for many machines gives what this process gives, in the same rows; Ray runs here, with real workers."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from model.encoder import build_encoder
from training import features
from training.extractor import engine_named, here
from training.features import extract
from training.options import parse

from .pictures import encode, noise

installed = find_spec("ray") is not None


@pytest.mark.skipif(installed, reason="Ray is installed")
def test_ray_that_is_missing_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--dataset", "photos", "--engine", "ray"])
    assert "pip install -r requirements/ray.in" in capsys.readouterr().err


@pytest.mark.skipif(not installed, reason="Ray is not installed: pip install -r requirements/ray.in")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # Ray warns of its own ways
def test_ray_gives_the_same_features_and_errors(
    tiny_encoder_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "BATCH", 4)
    encoder, photos = build_encoder(str(tiny_encoder_file)), [tmp_path / f"{number}.png" for number in range(10)]
    for seed, path in enumerate(photos):
        path.write_bytes(encode(noise(seed=seed), "PNG"))
    photos[3].write_bytes(b"no picture")
    alone = extract(encoder, photos, tmp_path / "here", here)
    together = extract(encoder, photos, tmp_path / "ray", engine_named("ray"))
    assert list(alone.failed) == [3] and together.failed == alone.failed
    np.testing.assert_array_equal(together.grid[:], alone.grid[:])
