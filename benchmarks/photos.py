"""Photos to measure with: taken from a folder, or made up with a photo's statistics."""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from model.bulk import find_photos
from model.image import open_image

USUAL = (500, 375)  # width and height of a photo from the web
PHONE = (4000, 3000)  # 12 megapixels


def write_photos(folder: Path, count: int, size: tuple[int, int], source: Path | None = None) -> list[Path]:
    """Write `count` different JPEGs of `size` (width, height), stretched from those in `source` if there is one."""
    pictures = _from(source, size) if source else (made_up(size, seed) for seed in range(count))
    paths = []
    for number, picture in enumerate(islice(pictures, count)):
        path = folder / f"{size[0]}x{size[1]}-{number:03}.jpg"
        picture.save(path, "JPEG", quality=90)
        paths.append(path)
    return paths


def made_up(size: tuple[int, int], seed: int) -> Image.Image:
    """Clouds of colour whose amplitude falls with the frequency, as that of photos does (Field 1987)."""
    random, (width, height) = np.random.default_rng(seed), size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    planes = []
    for _ in range(3):
        waves = random.standard_normal((2, *frequency.shape))
        plane = np.fft.irfft2((waves[0] + 1j * waves[1]) / frequency, (height, width))
        planes.append(plane / plane.std())
    return Image.fromarray(np.clip(128 + 50 * np.stack(planes, -1), 0, 255).astype(np.uint8))


def read_all(paths: list[Path]) -> list[bytes]:
    """The files' bytes, as an upload brings them."""
    return [path.read_bytes() for path in paths]


def _from(source: Path, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Once through different crops after all photos have been used, so that no two are alike."""
    for number, path in enumerate(cycle(find_photos([source], recursive=True))):
        picture = open_image(path, at_least=max(size))
        edge = number % 64
        yield picture.crop((edge, edge, picture.width - edge, picture.height - edge)).resize(size)
