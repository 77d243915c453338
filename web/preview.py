"""A photo as the page and `return_image` show it: small, upright, and nothing but its pixels."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

from model.image import open_image

LONGEST_EDGE = 1024
QUALITY = 85


@dataclass(frozen=True)
class Preview:
    """A JPEG as a data URL, with its size in pixels."""

    url: str
    width: int
    height: int


def preview(upload: bytes) -> Preview:
    """Raises ImageError."""
    photo = open_image(upload)
    photo.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
    photo.info.clear()  # Pillow would write the comment of the original, and who knows what next year
    jpeg = BytesIO()
    photo.save(jpeg, "JPEG", quality=QUALITY)
    return Preview("data:image/jpeg;base64," + b64encode(jpeg.getvalue()).decode("ascii"), *photo.size)
