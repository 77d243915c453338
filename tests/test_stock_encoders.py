"""Laws of the networks that Keras ships: read as published, trained end to end, served as they were trained.

Random weights in the layout of the official files stand for those; only their download is not tried.
"""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow
from keras.src.legacy.saving import legacy_h5_format

from model.bundle import load_bundle
from model.captioner import CaptionGenerator
from model.encoder import build_encoder, input_size
from model.errors import EncoderError

from .conftest import COLOURS, picture

ROOT = Path(__file__).parent.parent
SERVE = """
import json, sys
from model.captioner import CaptionGenerator
captioner = CaptionGenerator.load(sys.argv[1], precision="float32")
import keras
(result,) = captioner.generate([sys.argv[2]], 3)
captions = [(caption.text, caption.log_probability) for caption in result.captions]
print(json.dumps({"backend": keras.config.backend(), "captions": captions}))
"""
NETWORKS = {
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16, (224, 224), (7, 7, 512)),
    "inceptionv3": (keras.applications.InceptionV3, keras.applications.inception_v3, (299, 299), (8, 8, 2048)),
}


@pytest.fixture(scope="module", params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def official(name: str) -> keras.Model:
    """Keras's own network; no two of its normalizations alike."""
    keras.utils.set_random_seed(0)
    network = NETWORKS[name][0](include_top=False, weights=None, input_shape=(*NETWORKS[name][2], 3))
    random = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([weight + random.uniform(0, 0.1, weight.shape) for weight in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def weights(official: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The layout that keras.applications downloads; some 100 MB, so it does not stay."""
    path = tmp_path_factory.mktemp("weights") / "notop.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, official)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def encoder(name: str, weights: Path) -> keras.Model:
    return build_encoder(name, weights)


@pytest.fixture(scope="module")
def walls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures, the fewest that split in three."""
    root = tmp_path_factory.mktemp("walls")
    (root / "Images").mkdir()
    lines = ["image,caption"]
    for number in range(10):
        colour = ("red", "green")[number % 2]
        picture(COLOURS[colour], seed=number).save(root / "Images" / f"{number}.png")
        lines.append(f"{number}.png,A plain {colour} wall .")
    (root / "captions.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def artifact(name: str, weights: Path, walls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training.train import main

    folder = tmp_path_factory.mktemp(name)
    with eagerly():
        status = main(
            f"--dataset {walls} --encoder {name} --encoder-weights {weights} --output {folder / 'artifacts'} "
            f"--work {folder / 'work'} --units 16 --heads 2 --min-count 1 --max-words 6 --epochs 1 --fine-tune "
            "--fine-tune-epochs 1 --crop 0.5".split()
        )
    assert status == 0
    return folder / "artifacts"


@contextmanager
def eagerly() -> Iterator[None]:
    """Tracing a hundred layers and their optimizer takes a minute, the two steps that are run here a second."""
    tensorflow.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Even though the `tf.config.experimental_run_functions_eagerly`")
            yield
    finally:
        tensorflow.config.run_functions_eagerly(False)


def test_features_are_those_of_kerass_own_network_and_preprocessing(
    name: str, official: keras.Model, encoder: keras.Model
) -> None:
    _, module, size, grid = NETWORKS[name]
    assert input_size(encoder) == size
    photos = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    pixels = module.preprocess_input(photos.astype(np.float32))
    expected, found = (np.asarray(network(x)) for network, x in ((official, pixels), (encoder, photos)))
    assert found.shape == (2, *grid)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_weights_of_another_network_are_refused_in_one_line(name: str, weights: Path) -> None:
    other = next(other for other in NETWORKS if other != name)
    with pytest.raises(EncoderError, match=f"wants {other} without its top, .*_notop.h5.* does not fit") as caught:
        build_encoder(other, weights)
    assert "\n" not in str(caught.value)


def test_training_end_to_end_writes_an_artifact_of_that_network(name: str, artifact: Path) -> None:
    config = load_bundle(artifact).config
    assert config.encoder["name"] == name
    assert config.encoder["source"]["file"] == "notop.h5"
    assert tuple(config.encoder["grid"]) == NETWORKS[name][3]
    assert {"frozen", "fine-tuned"} <= set(config.training["dev_cider_own_tokens"])


def test_it_is_served_on_openvino_as_on_tensorflow(artifact: Path, walls: Path) -> None:
    photo = walls / "Images" / "1.png"
    run = subprocess.run(
        [sys.executable, "-c", SERVE, str(artifact), str(photo)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"},
        capture_output=True,
        text=True,
        check=True,
    )
    served = json.loads(run.stdout)
    assert served["backend"] == "openvino"
    expected = CaptionGenerator.load(artifact).caption(photo, 3)
    assert [text for text, _ in served["captions"]] == [caption.text for caption in expected]
    for (_, log_probability), caption in zip(served["captions"], expected, strict=True):
        assert log_probability == pytest.approx(caption.log_probability, abs=1e-3)
