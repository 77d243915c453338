"""Laws of the feature cache: right rows, computed once, resumed, nothing lost by a bad photo."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from model.encoder import build_encoder, input_size
from model.errors import DatasetError
from training import features
from training.features import encode, extract

from .pictures import encode as encode_picture
from .pictures import noise


@pytest.fixture
def encoder(tiny_encoder_file: Path, monkeypatch: pytest.MonkeyPatch) -> keras.Model:
    monkeypatch.setattr(features, "BATCH", 4)
    return build_encoder(str(tiny_encoder_file))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for seed, path in enumerate(paths):
        path.write_bytes(encode_picture(noise(seed=seed), "PNG"))
    return paths


class Counting:
    """An encoder that counts what it computes, and may be interrupted."""

    def __init__(self, encoder: keras.Model, stop_after: int | None = None) -> None:
        self._encoder, self._left, self.batches = encoder, stop_after, 0

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        if self.batches == self._left:
            raise KeyboardInterrupt
        self.batches += 1
        return self._encoder.predict_on_batch(pixels)

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)


def test_every_row_holds_the_features_of_its_photo(encoder: keras.Model, photos: list[Path], tmp_path: Path) -> None:
    found = extract(encoder, photos, tmp_path / "cache")
    assert found.failed == {}
    np.testing.assert_array_equal(found.grid[:], encode(encoder, photos, input_size(encoder)))


def test_what_is_cached_is_not_computed_again(encoder: keras.Model, photos: list[Path], tmp_path: Path) -> None:
    first = extract(encoder, photos, tmp_path / "cache").grid[:]
    again = Counting(encoder)
    np.testing.assert_array_equal(extract(again, photos, tmp_path / "cache").grid[:], first)
    assert again.batches == 0


def test_an_interrupted_extraction_goes_on_where_it_stopped(
    encoder: keras.Model, photos: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        extract(Counting(encoder, stop_after=1), photos, tmp_path / "cache")
    rest = Counting(encoder)
    found = extract(rest, photos, tmp_path / "cache")
    assert rest.batches == 2
    np.testing.assert_array_equal(found.grid[:], encode(encoder, photos, input_size(encoder)))


def test_an_unreadable_photo_is_named_and_the_others_stay_in_their_rows(
    encoder: keras.Model, photos: list[Path], tmp_path: Path
) -> None:
    whole = encode(encoder, photos, input_size(encoder))
    photos[3].write_bytes(photos[3].read_bytes()[:60])
    found = extract(encoder, photos, tmp_path / "cache")
    assert list(found.failed) == [3]
    assert "3.png" in found.failed[3]
    others = [row for row in range(10) if row != 3]
    np.testing.assert_array_equal(np.load(found.path)[others], whole[others])
    np.testing.assert_array_equal(found.grid[:], whole[others])


def test_a_photo_that_vanishes_meanwhile_is_named_as_well(
    encoder: keras.Model, photos: list[Path], tmp_path: Path
) -> None:
    class Vanishing(Counting):
        def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
            photos[8].unlink(missing_ok=True)
            return super().predict_on_batch(pixels)

    found = extract(Vanishing(encoder), photos, tmp_path / "cache")
    assert list(found.failed) == [8] and "8.png" in found.failed[8]
    assert found.readable() == [row for row in range(10) if row != 8]
    assert len(found.grid) == 9


def test_features_are_read_from_the_file_as_they_are_asked_for(
    encoder: keras.Model, photos: list[Path], tmp_path: Path
) -> None:
    grid = extract(encoder, photos, tmp_path / "cache").grid
    whole = grid[:]
    for index in (slice(2, 5), [7, 0, 7], np.array([3]), np.arange(10) % 2 == 0):
        found: Any = grid[index]
        np.testing.assert_array_equal(found, whole[index])
        while found is not None:  # nothing stays mapped
            assert not isinstance(found, np.memmap)
            found = found.base


def test_other_photos_or_another_network_make_another_key(
    encoder: keras.Model, photos: list[Path], tmp_path: Path
) -> None:
    key = features.cache_key(encoder, photos)
    assert features.cache_key(encoder, photos[1:]) != key
    photos[0].write_bytes(encode_picture(noise(seed=77), "PNG") + b"\0")
    assert features.cache_key(encoder, photos) != key
    before = features.cache_key(encoder, photos)
    encoder.set_weights([weight + 1 for weight in encoder.get_weights()])
    assert features.cache_key(encoder, photos) != before


def test_no_readable_photo_at_all_is_an_error(encoder: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="at least one photo must be readable"):
        extract(encoder, [tmp_path / "a.png"], tmp_path / "cache")
