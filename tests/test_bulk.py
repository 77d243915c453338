"""Laws of captioning a folder: every photo once, in order, whatever goes wrong with some of them."""

import csv
import json
import os
from pathlib import Path

import pytest

from model.__main__ import main
from model.bulk import BATCH, find_photos
from model.captioner import CaptionGenerator

from .conftest import COLOURS, picture
from .pictures import encode


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty photos, so that they fill more than two batches, some of them deeper, and what is no photo."""
    folder = tmp_path_factory.mktemp("album")
    (folder / "deeper" / "still").mkdir(parents=True)
    for number in range(40):
        colour = list(COLOURS)[number % 4]
        place = folder / ("deeper/still" if number % 5 == 4 else ".")
        (place / f"{number:02} {colour}.png").write_bytes(encode(picture(COLOURS[colour], seed=number), "PNG"))
    (folder / "unnamed").write_bytes(encode(picture(COLOURS["red"]), "JPEG"))
    (folder / ".hidden.png").write_bytes(encode(picture(COLOURS["red"]), "PNG"))
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def captions(tiny_artifact: Path, album: Path) -> dict[str, str]:
    """One by one, by the public API."""
    captioner = CaptionGenerator.load(tiny_artifact)
    return {str(photo): captioner.predict(photo) for photo in find_photos([album], recursive=True)}


def run(artifact: Path, *arguments: object) -> int:
    return main([*map(str, arguments), "--artifacts", str(artifact)])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", errors="surrogateescape") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_folder_is_captioned_whole_and_in_order(
    tiny_artifact: Path, album: Path, captions: dict[str, str], tmp_path: Path, name: str
) -> None:
    assert len(captions) == 41 > 2 * BATCH
    assert run(tiny_artifact, album, "--recursive", "--output", tmp_path / name) == 0
    assert [(row["file"], row["caption"]) for row in rows(tmp_path / name)] == list(captions.items())


def test_folders_within_stay_closed_unless_asked_for(album: Path) -> None:
    shallow, deep = find_photos([album], recursive=False), find_photos([album], recursive=True)
    assert shallow == [photo for photo in deep if photo.parent == album]
    assert len(deep) - len(shallow) == 8
    assert find_photos([album / "notes.txt"], recursive=False) == [album / "notes.txt"]  # named, so wanted


def test_what_fails_is_named_and_the_rest_is_captioned(
    tiny_artifact: Path, album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, output = album / "00 red.png", tmp_path / "bad.png", tmp_path / "out.csv"
    bad.write_bytes(b"text")
    assert run(tiny_artifact, good, bad, tmp_path / "missing.jpg", good, "--output", output) == 1
    assert [row["file"] for row in rows(output)] == [str(good)] * 2
    told = capsys.readouterr().err
    assert "bad.png: A picture must be" in told and "missing.jpg" in told and "2 captioned, 2 failed" in told


@pytest.mark.parametrize(
    ("name", "kept"), [("out.csv", 0), ("out.csv", 9), ("out.csv", 500), ("out.jsonl", 5), ("out.jsonl", 500)]
)
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    tiny_artifact: Path, album: Path, tmp_path: Path, name: str, kept: int
) -> None:
    output = tmp_path / name
    photos = find_photos([album], recursive=False)[:9]
    run(tiny_artifact, *photos, "--output", output)
    whole, expected = output.read_bytes(), [(row["file"], row["caption"]) for row in rows(output)]
    output.write_bytes(whole[:kept])
    assert whole[kept - 1 : kept] != b"\n"  # in the middle of a line
    assert run(tiny_artifact, *photos, "--output", output, "--resume") == 0
    assert [(row["file"], row["caption"]) for row in rows(output)] == expected
    finished = output.read_bytes()
    assert run(tiny_artifact, *photos, "--output", output, "--resume") == 0
    assert output.read_bytes() == finished


def test_a_file_that_is_there_is_not_overwritten(
    tiny_artifact: Path, album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.csv"
    output.write_text("precious\nlines")
    assert run(tiny_artifact, album, "--output", output) == 2
    assert "add --resume" in capsys.readouterr().err
    assert run(tiny_artifact, album, "--output", output, "--resume") == 2  # no captions in there
    assert run(tiny_artifact, album, "--output", tmp_path / "no" / "folder.csv") == 2
    assert output.read_text() == "precious\nlines"


def test_resuming_needs_a_file_that_names_its_photos(
    tiny_artifact: Path, album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.txt"
    assert run(tiny_artifact, album / "00 red.png", "--output", output) == 0
    assert run(tiny_artifact, album / "00 red.png", "--output", output, "--resume") == 2
    assert run(tiny_artifact, album / "00 red.png", "--resume") == 2
    assert "--output FILE" in capsys.readouterr().err


def test_any_name_that_a_file_can_have_comes_back(tiny_artifact: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = encode(picture(COLOURS["blue"]), "PNG")
    names = [b'a, "b".png', b"two\nlines.png", b"caf\xe9.png", "naïve ☃.png".encode()]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(photo)
    for kind in ("csv", "jsonl"):
        output = tmp_path / f"out.{kind}"
        assert run(tiny_artifact, folder, "--output", output) == 0
        assert {os.fsencode(Path(row["file"]).name) for row in rows(output)} == set(names)
        whole = output.read_bytes()
        assert run(tiny_artifact, folder, "--output", output, "--resume") == 0
        assert output.read_bytes() == whole


def test_csv_has_a_line_for_every_caption(tiny_artifact: Path, album: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert run(tiny_artifact, album / "00 red.png", "--num-captions", 3, "--beam-width", 4, "--output", output) == 0
    found = rows(output)
    assert len({row["caption"] for row in found}) == 3
    totals = [float(row["log_probability"]) for row in found]
    assert all(total < 0 for total in totals)
