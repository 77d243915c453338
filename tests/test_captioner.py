"""Laws of the public API, with a tiny artifact that knows four colours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.captioner import CaptionGenerator, Source
from model.errors import ArtifactError, EmptyFile, SettingsError

from .conftest import COLOURS, picture
from .pictures import encode

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def captioner(tiny_artifact: Path) -> CaptionGenerator:
    return CaptionGenerator.load(tiny_artifact)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_tiny_network_captions_made_up_pictures_back(captioner: CaptionGenerator, colour: str) -> None:
    words = captioner.predict(picture(COLOURS[colour], seed=99)).split()
    assert colour in words
    assert not (set(COLOURS) - {colour}) & set(words)


def test_all_ways_to_hand_over_a_photo_give_one_caption(captioner: CaptionGenerator, tmp_path: Path) -> None:
    photo = picture(COLOURS["red"])
    path = tmp_path / "photo.png"
    path.write_bytes(encode(photo, "PNG"))
    ways: list[Source] = [path, str(path), path.read_bytes(), photo, np.asarray(photo)]
    assert len({captioner.caption(way) for way in ways}) == 1


def test_a_turned_photo_captions_as_the_upright_one(captioner: CaptionGenerator) -> None:
    photo = Image.fromarray(np.concatenate([np.asarray(picture(COLOURS[name])) for name in ("red", "blue")]))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(photo.rotate(90, expand=True), "PNG", exif=exif)
    assert captioner.caption(turned) == captioner.caption(encode(photo, "PNG"))


def test_batching_never_mixes_photos(captioner: CaptionGenerator) -> None:
    photos = [picture(colour, seed=seed) for seed, colour in enumerate(COLOURS.values())]
    assert captioner.predict(list(photos)) == [captioner.predict(photo) for photo in photos]
    assert captioner.predict(list(photos[::-1])) == captioner.predict(list(photos))[::-1]


def test_a_reloaded_artifact_captions_as_it_did(captioner: CaptionGenerator, tiny_artifact: Path) -> None:
    photo = picture(COLOURS["green"])
    assert CaptionGenerator.load(tiny_artifact).caption(photo) == captioner.caption(photo)


def test_captions_come_best_first_and_differ(captioner: CaptionGenerator) -> None:
    captions = captioner.caption(picture(COLOURS["white"]), num_captions=3, beam_width=5)
    assert len({caption.text for caption in captions}) == 3
    assert captions[0].text == captioner.predict(picture(COLOURS["white"]), beam_width=5)
    assert all(caption.log_probability < 0 for caption in captions)


def test_the_time_of_each_part_is_told(captioner: CaptionGenerator) -> None:
    seconds = captioner.generate([picture(COLOURS["red"])])[0].seconds
    assert set(seconds) == {"decode", "encode", "search"}
    assert all(0 < value < 60 for value in seconds.values())


def test_nothing_to_caption_gives_nothing(captioner: CaptionGenerator) -> None:
    assert captioner.predict([]) == []


def test_impossible_requests_are_refused(captioner: CaptionGenerator, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="beam width must be 1 to"):
        captioner.predict(picture(COLOURS["red"]), beam_width=0)
    with pytest.raises(EmptyFile):
        captioner.predict(b"")
    with pytest.raises(ArtifactError):
        CaptionGenerator.load(tmp_path)


def shell(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "model", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)


def test_the_shell_prints_a_caption_a_line_and_names_what_failed(tiny_artifact: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encode(picture(COLOURS["blue"]), "PNG"))
    bad.write_bytes(b"text")
    run = shell(bad, good, good, "--artifacts", tiny_artifact)
    assert run.returncode == 1
    lines = run.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert "blue" in lines[0]
    assert "bad.png" in run.stderr
    assert "Traceback" not in run.stderr


def test_the_shell_prints_json(tiny_artifact: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode(picture(COLOURS["red"]), "PNG"))
    run = shell(photo, "--json", "--num-captions", 2, "--beam-width", 3, "--artifacts", tiny_artifact)
    row = json.loads(run.stdout)
    assert row["file"] == str(photo)
    assert row["caption"] == row["captions"][0]["caption"]
    assert row["confidence"] == row["captions"][0]["confidence"]
    assert len(row["captions"]) == 2


def test_the_shell_refuses_a_missing_artifact_in_one_line(tmp_path: Path) -> None:
    run = shell("photo.png", "--artifacts", tmp_path / "none")
    assert run.returncode == 2
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1
