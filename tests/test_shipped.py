"""The artifact that ships, on real photos. The photos lie beside the project and are not part of it."""

from pathlib import Path

import pytest

from model.captioner import CaptionGenerator
from model.checksums import FILES, verify

ROOT = Path(__file__).parent.parent
ARTIFACTS = ROOT / "artifacts"
PHOTOS = ROOT.parent / "shared" / "flickr8k" / "Flicker8k_Dataset"

# Six photos of the test split and words for their main thing, listed before its captions of them were seen.
MAIN_THING = {
    "2084217208_7bd9bc85e5.jpg": {"cyclist", "biker", "bicyclist", "bike", "bicycle", "man", "woman", "person"},
    "751109943_2a7f8e117f.jpg": {"girl", "child"},
    "1982852140_56425fa7a2.jpg": {"beach", "ocean"},
    "241347760_d44c8d3a01.jpg": {"football", "player"},
    "3254817653_632e840423.jpg": {"people", "group", "men"},
    "3294209955_a1f1e2cc19.jpg": {"dog"},
}

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator.load(ARTIFACTS)


def test_it_is_whole_and_small() -> None:
    verify(ARTIFACTS)
    files = [path for path in ARTIFACTS.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 64 * 2**20
    assert all(path.stat().st_size <= 60 * 10**6 for path in files)
    assert {path.suffix for path in files} <= {".json", ".npz", ".md", ""}
    assert set(FILES) <= {path.name for path in files}


def test_it_names_the_main_thing_and_never_says_the_same_twice(captioner: CaptionGenerator) -> None:
    if not PHOTOS.is_dir():
        pytest.skip(f"the Flickr8k photos are not part of the project; put them at {PHOTOS} to run this test")
    captions = dict(zip(MAIN_THING, captioner.predict([PHOTOS / name for name in MAIN_THING]), strict=True))
    right = [name for name, words in MAIN_THING.items() if words & set(captions[name].split())]
    assert len(right) >= 4, captions
    assert len(set(captions.values())) == 6, captions
