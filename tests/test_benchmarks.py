"""The commands that measure: what they count, and where they write it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.agreement import RUNS, compare
from benchmarks.load import put_load_on
from benchmarks.photos import USUAL, read_all, write_photos
from benchmarks.processes import measure
from benchmarks.report import table, write_section
from benchmarks.serving import serving
from model.bundle import save_bundle

from .bundles import untrained


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What it says does not matter here."""
    folder = tmp_path_factory.mktemp("untrained") / "artifacts"
    save_bundle(folder, untrained())
    return folder


def test_a_command_rewrites_its_own_section_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_section("one", "first", page)
    write_section("two", "second", page)
    page.write_text(page.read_text() + "\nwritten by hand\n")
    before = page.read_text()
    write_section("one", "first, anew", page)
    assert page.read_text() == before.replace("first", "first, anew")


def test_a_table_has_a_line_a_row_and_a_cell_a_column() -> None:
    lines = table(("what", "how much"), [("a", 1), ("b", 2)]).splitlines()
    assert [line.count("|") for line in lines] == [3] * 4
    assert lines[2] == "| a | 1 |"


def test_photos_differ_however_many_are_wanted_and_are_of_the_size_asked_for(tmp_path: Path) -> None:
    photos = write_photos(tmp_path, 70, (120, 90))
    pictures = [np.asarray(Image.open(photo)) for photo in photos]
    assert {picture.shape for picture in pictures} == {(90, 120, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 70


def test_photos_may_come_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    Image.new("RGB", (160, 160), "red").save(tmp_path / "source" / "red.png")
    (photo,) = write_photos(tmp_path, 1, (120, 90), tmp_path / "source")
    assert np.asarray(Image.open(photo)).mean((0, 1)) == pytest.approx([255, 0, 0], abs=2)


def test_agreement_counts_equal_captions_and_how_far_their_log_probabilities_are_apart() -> None:
    references = {"a": ["a dog runs"], "b": ["a cat sits"], "c": ["two men talk"], "d": ["the sea is calm"]}
    same = {name: {texts[0]: -3.0, "a dog runs away": -4.0} for name, texts in references.items()}
    other = same | {"d": {"a dog runs away": -3.5, "a dog sits": -5.0}}
    found = compare(references, dict(zip(RUNS, (same, same, other), strict=True)))
    reference, float32, shipped = found.values()
    assert (reference.identical, float32.identical, shipped.identical) == (1.0, 1.0, 0.75)
    assert (float32.apart, shipped.apart) == (0.0, 0.5)
    assert shipped.difference == pytest.approx(shipped.cider - reference.cider)
    assert shipped.difference < 0


def test_every_caption_under_load_is_counted_once(artifact: Path, tmp_path: Path) -> None:
    photos = read_all(write_photos(tmp_path, 4, USUAL))
    with serving(artifact, tmp_path / "server.log") as (port, _):
        load = put_load_on(port, photos, clients=4, seconds=1)
    assert not load.errors
    assert load.waited and load.per_second == pytest.approx(len(load.waited) / load.seconds)


def test_a_measured_process_tells_its_figures(artifact: Path, tmp_path: Path) -> None:
    write_photos(tmp_path, 32, USUAL)
    write_photos(tmp_path, 1, (4000, 3000))
    first = measure("first", artifact, tmp_path)
    assert first["seconds"] > 0 and first["megabytes"] > 10
    figures = measure("captions", artifact, tmp_path, "float32")
    assert set(figures["batches"]) == {"8", "32"} and set(figures["parts"]) == {"decode", "encode", "search"}
    assert sum(figures["parts"].values()) < 2 * figures["one"]
