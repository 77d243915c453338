"""Photos to measure with: crops of those in a folder, of the samples that ship if it is not named."""

from itertools import cycle, islice
from pathlib import Path

from benchmarks.report import ROOT
from model.bulk import find_photos
from model.image import open_image

USUAL = (500, 375)  # width and height of a photo from the web
PHONE = (4000, 3000)  # 12 megapixels
SAMPLES = ROOT / "static" / "samples"
_SHIFTS = 32  # crops are shifted against each other by up to so many pixels


def write_photos(folder: Path, count: int, size: tuple[int, int], source: Path = SAMPLES) -> list[Path]:
    """Write `count` different JPEGs of `size` (width, height), stretched from crops of those in `source`."""
    paths = []
    for number, original in enumerate(islice(cycle(find_photos([source], recursive=True)), count)):
        picture = open_image(original, at_least=max(size))
        top, left = divmod(number, _SHIFTS)
        crop = picture.crop((left, top, left + picture.width - _SHIFTS, top + picture.height - _SHIFTS))
        paths.append(folder / f"{size[0]}x{size[1]}-{number:03}.jpg")
        crop.resize(size).save(paths[-1], "JPEG", quality=90)
    return paths


def read_all(paths: list[Path]) -> list[bytes]:
    """The files' bytes, as an upload brings them."""
    return [path.read_bytes() for path in paths]
