"""Starts that must not succeed."""

import json
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.checksums import CONFIG, DECODER_WEIGHTS, ENCODER, ENCODER_WEIGHTS, TOKENIZER, write_checksums
from tests.servers import GUNICORN, free_port, the_one_line

from .conftest import Told


def truncate(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-100])


def change(name: str, how: Callable[[Any], object]) -> Callable[[Path], None]:
    """Alter a file of JSON."""

    def alter(folder: Path) -> None:
        data = json.loads((folder / name).read_text())
        how(data)
        (folder / name).write_text(json.dumps(data))

    return alter


class Explosive:
    """Unpickling it would create a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def add_pickle(folder: Path) -> None:
    with np.load(folder / DECODER_WEIGHTS) as weights:
        payload = np.array([Explosive(folder / "exploded")], object)
        np.savez(folder / DECODER_WEIGHTS, **dict(weights), payload=payload)


def add_lambda(network: Any) -> None:
    network["config"]["layers"][-1].update(module="keras.layers", class_name="Lambda", registered_name="Lambda")


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "an artifact without its vocabulary": (TOKENIZER, lambda folder: (folder / TOKENIZER).unlink()),
    "weights cut short": (ENCODER_WEIGHTS, truncate(ENCODER_WEIGHTS)),
    "a file that is not the one that was saved": (CONFIG, change(CONFIG, lambda data: data.update(version="9"))),
}
SEALED = {  # whoever altered these made the checksums right again
    "a vocabulary that does not fit the network": ("", change(TOKENIZER, lambda data: data["words"].pop())),
    "a pickle among the weights": (DECODER_WEIGHTS, add_pickle),
    "a Lambda layer": (ENCODER, change(ENCODER, add_lambda)),
}
SETTINGS = {"PORT": "http", "WORKERS": "0", "MAX_UPLOAD_MB": "1.5", "DEADLINE_SECONDS": "-1", "REDIS_URL": "localhost"}


def refused(told: Told, what: str, artifacts: Path, named: str, **settings: str) -> None:
    """gunicorn ends with one line that says why, and its exit code is not 0."""
    started = time.perf_counter()
    line = the_one_line(GUNICORN, artifacts, free_port(), **{"WORKERS": "2", **settings})
    assert named in line
    told(what, f"exit code not 0, one line that names {named}", time.perf_counter() - started)


@pytest.mark.parametrize("what", [*DAMAGE, *SEALED])
def test_an_artifact_that_is_not_right_is_refused(artifact: Path, tmp_path: Path, told: Told, what: str) -> None:
    folder = Path(shutil.copytree(artifact, tmp_path / "altered"))
    name, alter = (DAMAGE | SEALED)[what]
    alter(folder)
    if what in SEALED:
        write_checksums(folder)
    refused(told, what, folder, name or folder.name)
    assert not (folder / "exploded").exists()


def test_a_folder_that_is_missing_is_named(told: Told, tmp_path: Path) -> None:
    refused(told, "no artifact at all", tmp_path / "nowhere", "nowhere")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_not_possible_is_named(artifact: Path, told: Told, name: str) -> None:
    refused(told, f"{name}={SETTINGS[name]}", artifact, name, **{name: SETTINGS[name]})


def test_a_port_in_use_is_named(artifact: Path, told: Told) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(told, "a port in use", artifact, "PORT", PORT=port)
