"""The artifact: a self-describing folder. This module alone writes and reads it, and refuses parts that disagree.

    config.json      sizes, decoding options, the record of the training run
    tokenizer.json   the vocabulary
    encoder.json     the CNN's architecture, built-in Keras layers only
    encoder.npz      its weights, half precision
    decoder.npz      the decoder's weights, half precision
    SHA256SUMS       of all of these

`metrics.json`, predictions, the model card `README.md` and, where a split was drawn, `split.json` lie beside them;
captioning does not need those.
"""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from model.checksums import (
    CONFIG,
    DECODER_WEIGHTS,
    ENCODER,
    ENCODER_WEIGHTS,
    REMEDY,
    TOKENIZER,
    verify,
    write_checksums,
)
from model.config import BundleConfig, DecoderConfig
from model.decoder import Decoder
from model.encoder import check_contract
from model.errors import ArtifactError, EncoderError, SettingsError
from model.tokenizer import Tokenizer

# What an encoder of built-in layers may name. Lambda and its kin hold code, so they stand on neither list.
_SAFE_MODULES = {"keras", "keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints"}
_CODE_LAYERS = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_MODELS = {("keras.src.models.functional", "Functional"), ("keras", "Functional"), ("keras", "Sequential")}


@dataclass(frozen=True)
class Bundle:
    """Everything that captioning needs, in memory."""

    config: BundleConfig
    tokenizer: Tokenizer
    encoder: keras.Model
    decoder: Decoder


def save_bundle(folder: str | Path, bundle: Bundle, beside: Callable[[Path], None] = lambda _: None) -> None:
    """Write the artifact aside, then put it in the place of whatever `folder` held.

    Weights are rounded to half precision on the way; `beside` may write more into the folder that it is given.
    Raises ArtifactError if the parts disagree or cannot be written; what `folder` held is then left as it was.
    """
    folder = Path(folder).resolve()
    _check_parts(folder, bundle)
    with _writing(folder):
        aside = make_aside(folder)
        (aside / CONFIG).write_text(json.dumps(bundle.config.to_dict(), indent=2) + "\n")
        (aside / TOKENIZER).write_text(bundle.tokenizer.to_json() + "\n")
        (aside / ENCODER).write_text(bundle.encoder.to_json(indent=1) + "\n")
        _save_weights(bundle.encoder, aside / ENCODER_WEIGHTS)
        _save_weights(bundle.decoder, aside / DECODER_WEIGHTS)
        write_checksums(aside)
        beside(aside)
        if folder.exists():
            folder.replace(_old(folder))
        aside.replace(folder)
    shutil.rmtree(_old(folder), ignore_errors=True)


def make_aside(folder: Path) -> Path:
    """An empty folder next to `folder`, where an artifact can be written. Raises ArtifactError if there is no way.

    Puts back what a process that was killed between the two renames of `save_bundle` had moved away.
    """
    aside = _new(folder)
    with _writing(folder):
        if _old(folder).exists() and not folder.exists():
            _old(folder).replace(folder)
        shutil.rmtree(_old(folder), ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
        if folder.exists():
            list(folder.iterdir())  # a file of that name raises
        aside.mkdir(parents=True)
    return aside


def _new(folder: Path) -> Path:
    return folder.with_name(folder.name + ".new")


def _old(folder: Path) -> Path:
    return folder.with_name(folder.name + ".old")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        shutil.rmtree(_new(folder), ignore_errors=True)
        raise ArtifactError(
            f"{folder} could not be written ({exc.strerror or exc}): make room there, or name another folder"
        ) from exc


def load_bundle(folder: str | Path) -> Bundle:
    """Read what `save_bundle` wrote. Raises ArtifactError, one line that names the file and the remedy."""
    folder = Path(folder)
    verify(folder)
    config = _load_config(folder / CONFIG)
    tokenizer = _load_tokenizer(folder / TOKENIZER)
    encoder = _load_encoder(folder / ENCODER)
    decoder = build_decoder(config.decoder)
    bundle = Bundle(config, tokenizer, encoder, decoder)
    _check_parts(folder, bundle)
    _load_weights(encoder, folder / ENCODER_WEIGHTS)
    _load_weights(decoder, folder / DECODER_WEIGHTS)
    return bundle


def build_decoder(config: DecoderConfig) -> Decoder:
    """A decoder with its variables made, under names that do not depend on what was built before."""
    decoder = Decoder(config, name="decoder")
    decoder.build()
    return decoder


def _check_parts(folder: Path, bundle: Bundle) -> None:
    config, grid = bundle.config, bundle.encoder.output_shape[1:]
    if len(bundle.tokenizer) != config.decoder.vocabulary:
        raise ArtifactError(
            f"the vocabulary must fit the network; {folder / TOKENIZER} has {len(bundle.tokenizer)} ids and "
            f"{folder / CONFIG} wants {config.decoder.vocabulary}: {REMEDY}"
        )
    if tuple(config.encoder.get("grid", ())) != grid or grid[-1] != config.decoder.channels:
        raise ArtifactError(
            f"the encoder's grid must fit the decoder; {folder / ENCODER} gives {grid} and {folder / CONFIG} wants "
            f"{config.encoder.get('grid')} and {config.decoder.channels} channels: {REMEDY}"
        )
    ranges, names = config.encoder.get("ranges", {}), {layer.name for layer in bundle.encoder.layers}
    if not all(name in names and low < high for name, (low, high) in ranges.items()):
        raise ArtifactError(
            f"the ranges in {folder / CONFIG} must be of layers in {folder / ENCODER}, each from less to more: {REMEDY}"
        )


def _load_config(path: Path) -> BundleConfig:
    try:
        return BundleConfig.from_dict(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError, SettingsError) as exc:
        raise ArtifactError(f"{path} must hold the configuration of a captioner ({exc}): {REMEDY}") from exc


def _load_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_json(path.read_text())
    except ValueError as exc:
        raise ArtifactError(f"{path} must hold a vocabulary ({exc}): {REMEDY}") from exc


def _load_encoder(path: Path) -> keras.Model:
    text = path.read_text()
    try:
        _refuse_code(path, json.loads(text))
        return check_contract(keras.models.model_from_json(text))
    except ArtifactError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, EncoderError) as exc:
        raise ArtifactError(f"{path} must describe a Keras network of built-in layers: {REMEDY}") from exc


def _refuse_code(path: Path, architecture: Any) -> None:
    """Before anything is deserialised: only built-in layers may be named."""
    for part in _objects(architecture):
        module, name = part.get("module"), part["class_name"]
        built_in = module in _SAFE_MODULES and name not in _CODE_LAYERS and not part.get("registered_name")
        if not built_in and (module, name) not in _MODELS:
            raise ArtifactError(f"{path} may name built-in Keras layers only; it names {module}.{name}: {REMEDY}")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every serialised object inside `value`, at any depth."""
    if isinstance(value, dict):
        if "class_name" in value and value["class_name"] != "__keras_tensor__":
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _named_weights(network: keras.Model) -> dict[str, keras.Variable]:
    """Weights by name; numbered, since Keras gives layers that work outside a `call` no path of their own."""
    return {f"{number:03} {weight.path}": weight for number, weight in enumerate(network.weights)}


def _save_weights(network: keras.Model, path: Path) -> None:
    weights = _named_weights(network).items()
    np.savez(path, **{name: keras.ops.convert_to_numpy(weight).astype(np.float16) for name, weight in weights})


def _load_weights(network: keras.Model, path: Path) -> None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            loaded = {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as exc:
        raise ArtifactError(f"{path} must hold plain arrays of numbers, and nothing executable: {REMEDY}") from exc
    weights = _named_weights(network)
    if {name: array.shape for name, array in loaded.items()} != {name: tuple(w.shape) for name, w in weights.items()}:
        raise ArtifactError(f"the weights must fit the network; those in {path} do not: {REMEDY}")
    for name, weight in weights.items():
        weight.assign(loaded[name].astype(np.float32))
