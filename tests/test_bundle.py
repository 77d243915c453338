"""Laws of the artifact: what is saved comes back, and nothing else gets in."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from model.bundle import build_decoder, load_bundle, save_bundle
from model.checksums import FILES, verify, write_checksums
from model.errors import ArtifactError


@pytest.fixture
def artifact(tiny_artifact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_artifact, tmp_path / "artifacts"))


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def edit_weights(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with np.load(path) as arrays:
        data = dict(arrays)
    change(data)
    np.savez(path, **data)


def test_a_reloaded_artifact_holds_the_same_numbers(artifact: Path, tmp_path: Path) -> None:
    first = load_bundle(artifact)
    save_bundle(tmp_path / "again", first)
    again = load_bundle(tmp_path / "again")
    assert (again.config, again.tokenizer) == (first.config, first.tokenizer)
    for a, b in zip((first.encoder, first.decoder), (again.encoder, again.decoder), strict=True):
        assert [weight.path for weight in a.weights] == [weight.path for weight in b.weights]
        for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("shape", [{"merge_blocks": 3}, {"lstm_layers": 2}, {"kind": "merge"}, {"cell": "gru"}])
def test_every_weight_survives_saving(tiny_artifact: Path, tmp_path: Path, shape: dict[str, Any]) -> None:
    saved = load_bundle(tiny_artifact)
    sizes = replace(saved.config.decoder, **shape)
    random, decoder = np.random.default_rng(0), build_decoder(sizes)
    decoder.set_weights([random.normal(size=weight.shape) for weight in decoder.weights])  # no two alike
    save_bundle(tmp_path / "new", replace(saved, config=replace(saved.config, decoder=sizes), decoder=decoder))
    for before, after in zip(decoder.get_weights(), load_bundle(tmp_path / "new").decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(before.astype(np.float16), after)


def test_an_artifact_from_before_cells_could_be_chosen_has_lstms(artifact: Path) -> None:
    edit_json(artifact / "config.json", lambda data: data["decoder"].pop("cell"))
    write_checksums(artifact)
    assert load_bundle(artifact).config.decoder.cell == "lstm"


def test_saving_over_an_artifact_replaces_it_whole(artifact: Path) -> None:
    bundle = load_bundle(artifact)
    (artifact / "metrics.json").write_text("{}")  # of the old weights, so wrong from now on
    save_bundle(artifact, bundle)
    verify(artifact)
    assert sorted(path.name for path in artifact.iterdir()) == sorted([*FILES, "SHA256SUMS"])
    assert [path.name for path in artifact.parent.iterdir()] == ["artifacts"]


def test_checksums_are_what_sha256sum_prints(artifact: Path) -> None:
    lines = (artifact / "SHA256SUMS").read_text().splitlines()
    assert lines == [f"{hashlib.sha256((artifact / name).read_bytes()).hexdigest()}  {name}" for name in FILES]


@pytest.mark.parametrize("name", [*FILES, "SHA256SUMS"])
def test_a_missing_file_is_named(artifact: Path, name: str) -> None:
    (artifact / name).unlink()
    refused(artifact, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "flip", "longer"])
def test_an_altered_file_is_named(artifact: Path, name: str, damage: str) -> None:
    data = bytearray((artifact / name).read_bytes())
    middle = len(data) // 2
    if damage == "flip":
        data[middle] ^= 1
    (artifact / name).write_bytes({"cut": data[:middle], "flip": data, "longer": data + b" "}[damage])
    refused(artifact, name)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere")


@pytest.mark.parametrize("text", ["", "not checksums\n", "\x00\xff", "deadbeef\n"])
def test_a_checksum_file_of_something_else_is_refused(artifact: Path, text: str) -> None:
    (artifact / "SHA256SUMS").write_bytes(text.encode("latin-1"))
    refused(artifact, "SHA256SUMS")


def test_a_vocabulary_that_does_not_fit_is_refused(artifact: Path) -> None:
    edit_json(artifact / "tokenizer.json", lambda data: data["words"].append("zebra"))
    refused(artifact, "tokenizer.json", sealed=True)


def test_a_grid_that_does_not_fit_is_refused(artifact: Path) -> None:
    edit_json(artifact / "config.json", lambda data: data["decoder"].update(channels=16))
    refused(artifact, "encoder.json", sealed=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("decoder"),
        lambda data: data.update(surprise=1),
        lambda data: data["decoder"].update(kind="inject"),
        lambda data: data["decoding"].update(beam_width=0),
    ],
)
def test_an_impossible_configuration_is_refused(artifact: Path, change: Callable[[Any], None]) -> None:
    edit_json(artifact / "config.json", change)
    refused(artifact, "config.json", sealed=True)


def rename_all(data: dict[str, Any]) -> None:
    for name in list(data):
        data[name + "_"] = data.pop(name)


@pytest.mark.parametrize("name", ["encoder.npz", "decoder.npz"])
@pytest.mark.parametrize("change", [lambda data: data.popitem(), rename_all])
def test_weights_that_do_not_fit_are_refused(
    artifact: Path, name: str, change: Callable[[dict[str, Any]], None]
) -> None:
    edit_weights(artifact / name, change)
    refused(artifact, name, sealed=True)


class Explosive:
    """Unpickling it would create a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["encoder.npz", "decoder.npz"])
def test_a_pickle_among_the_weights_is_refused_unread(artifact: Path, name: str, tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    edit_weights(artifact / name, lambda data: data.update(payload=np.array([Explosive(mark)], object)))
    refused(artifact, name, sealed=True)
    assert not mark.exists()


def test_a_lambda_layer_is_refused_before_it_is_deserialised(artifact: Path) -> None:
    pixels = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 8, 8)(pixels)
    network = keras.Model(pixels, keras.layers.Lambda(lambda y: y + 1)(x))
    (artifact / "encoder.json").write_text(network.to_json())
    refused(artifact, "encoder.json", sealed=True, rule="built-in Keras layers only")


@pytest.mark.parametrize(
    ("module", "name", "registered"),
    [
        ("os", "system", None),
        ("keras.layers", "TFSMLayer", None),
        ("builtins", "function", None),
        ("keras.src.saving.legacy", "Lambda", None),
        ("keras.layers", "ReLU", "evil>ReLU"),
        (None, "ReLU", None),
    ],
)
def test_a_layer_from_elsewhere_is_refused(artifact: Path, module: str | None, name: str, registered: str) -> None:
    def change(data: Any) -> None:
        data["config"]["layers"][-1].update(module=module, class_name=name, registered_name=registered)

    edit_json(artifact / "encoder.json", change)
    refused(artifact, "encoder.json", sealed=True, rule="built-in Keras layers only")


def refused(artifact: Path, name: str, *, sealed: bool = False, rule: str = "") -> None:
    """`sealed`: whoever altered the artifact made the checksums right again."""
    if sealed:
        write_checksums(artifact)
    with pytest.raises(ArtifactError) as caught:
        load_bundle(artifact)
    message = str(caught.value)
    assert name in message
    assert rule in message
    assert "git checkout artifacts" in message
    assert "\n" not in message
