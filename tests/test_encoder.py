"""Laws of the encoder: the contract, and what happens where it is broken."""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from model.encoder import build_encoder, freeze_batch_norm, input_size, rebuild
from model.errors import EncoderError


@pytest.fixture
def tiny(tiny_encoder_file: Path) -> keras.Model:
    return build_encoder(str(tiny_encoder_file))


def pixels(count: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def save(folder: Path, outputs: str) -> str:
    """A network that breaks the contract in the way that `outputs` names."""
    size = (None, None, 3) if outputs == "any size" else (8, 8, 1 if outputs == "grey" else 3)
    image = keras.Input(size)
    x = keras.layers.Conv2D(2, 2)(image)
    path = folder / "bad.keras"
    keras.Model(image, keras.layers.GlobalAveragePooling2D()(x) if outputs == "pooled" else x).save(path)
    return str(path)


def test_a_file_that_keeps_the_contract_gives_a_grid(tiny: keras.Model) -> None:
    assert input_size(tiny) == (32, 32)
    assert tiny.predict_on_batch(pixels(2)).shape == (2, 4, 4, 8)


@pytest.mark.parametrize("broken", ["pooled", "any size", "grey"])
def test_a_network_that_breaks_the_contract_is_refused(broken: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"an encoder (takes|gives)"):
        build_encoder(save(tmp_path, broken))


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet18", None, "must be one of resnet50, vgg16, inceptionv3 or a file"),
        ("missing.keras", None, "missing.keras does not exist"),
        ("inceptionv3", "missing.h5", "missing.h5 does not exist"),
        ("any.keras", "weights.h5", "leave it out"),
    ],
)
def test_an_encoder_that_cannot_be_had_is_named(name: str, weights: str | None, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        build_encoder(name, weights)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.keras"
    path.write_text("hello")
    with pytest.raises(EncoderError, match=r"could not be loaded"):
        build_encoder(str(path))


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "inceptionv3"])
def test_without_a_network_the_message_gives_both_remedies(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", _no_network)  # the one thing that is stubbed
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    remedies = rf"of {name} could not .* connect to the internet.*notop\.h5 .*--encoder-weights.*--encoder FILE\.keras"
    with pytest.raises(EncoderError, match=remedies):
        build_encoder(name)


def test_official_weights_are_read_and_others_refused(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    official = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(224, 224, 3))
    path = tmp_path / "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    with h5py.File(path, "w") as file:  # the layout that keras.applications downloads
        legacy_h5_format.save_weights_to_hdf5_group(file, official)
    encoder = build_encoder("resnet50", path)
    photos = pixels(1, 224)
    expected = official.predict_on_batch(
        keras.applications.resnet50.preprocess_input(photos.astype(np.float32), data_format="channels_last")
    )
    np.testing.assert_allclose(encoder.predict_on_batch(photos), expected, rtol=1e-3, atol=1e-3)
    (tmp_path / "bad.h5").write_bytes(path.read_bytes()[:5000])
    with pytest.raises(EncoderError, match="does not fit"):
        build_encoder("resnet50", tmp_path / "bad.h5")


def test_rebuilding_changes_no_feature(tiny: keras.Model) -> None:
    photos = pixels(2)
    expected = tiny.predict_on_batch(photos)
    np.testing.assert_allclose(rebuild(tiny).predict_on_batch(photos), expected, atol=1e-5)
    any_size = rebuild(tiny, any_size=True)
    np.testing.assert_allclose(any_size.predict_on_batch(photos), expected, atol=1e-5)
    assert any_size.predict_on_batch(pixels(1, 48)).shape == (1, 6, 6, 8)
    half = rebuild(tiny, dtype="mixed_bfloat16").predict_on_batch(photos)
    np.testing.assert_allclose(np.asarray(half, np.float32), expected, atol=0.05)


def test_frozen_batch_norm_leaves_every_convolution_to_train(tiny: keras.Model) -> None:
    copy = rebuild(tiny)
    freeze_batch_norm(copy)
    assert [variable.path.split("/")[-1] for variable in copy.trainable_variables] == ["kernel", "kernel", "bias"]


def _no_network(*_: object, **__: object) -> None:
    raise OSError("no network")
