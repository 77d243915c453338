"""Any picture people send → RGB pixels: the one decoder and the one resize of the project.

Training and serving both come through here, so that they see the same pixels. What a picture is,
its first bytes decide, never its name: JPEG, PNG, WebP, GIF (first frame) and BMP are read.

    bytes ── signature ── header ── size limit ── decode ── upright ── 16 bits to 8 ── on white ── RGB

Pillow's readers are called by signature rather than through `Image.open`: that keeps its forty other
formats out, opens two-frame phone JPEGs as the JPEG they are, and leaves Pillow's limits and the
warning filters, which all threads share, untouched.
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from model.errors import DamagedImage, EmptyFile, ImageError, NotAnImage, TooManyPixels, UnreadableFile

ImageSource = str | Path | bytes | bytearray | memoryview | Image.Image | NDArray[Any]

MAX_PIXELS = 50_000_000  # above every phone's default mode, and 200 MB once decoded
AT_LEAST = 448  # a reduced JPEG keeps twice the usual 224, so that the resize has detail left to average

READERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
}

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)


def load_pixels(source: ImageSource, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Open a picture and stretch it to `size` = (height, width): uint8 RGB from 0 to 255, (height, width, 3).

    Raises what `open_image` raises.
    """
    return to_pixels(open_image(source, at_least=max(AT_LEAST, 2 * max(size))), size)


def to_pixels(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Stretch an RGB picture to `size` = (height, width): uint8 (height, width, 3).

    Stretched, not cropped: a caption may need what stands at the border. Bicubic with Pillow's
    antialiasing, and nothing else anywhere in the project.
    """
    height, width = size
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC))


def open_image(source: ImageSource, at_least: int = AT_LEAST) -> Image.Image:
    """Open a path, the bytes of a file, a Pillow image or a uint8 array (height, width, 3) as upright RGB.

    Transparency is laid on white, 16 bits are scaled to 8, EXIF orientation is applied, of an animation
    the first frame is taken. A JPEG may come back smaller than it was stored, each side still at least
    `at_least` pixels; what is already smaller than twice that is never reduced.

    Raises EmptyFile, NotAnImage, DamagedImage, TooManyPixels or UnreadableFile, all of them ImageError;
    plain ImageError for an array or a Pillow mode without an agreed meaning; TypeError for anything else.
    """
    if isinstance(source, str | Path):
        return _open_path(source, at_least)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), at_least)
    if isinstance(source, Image.Image):
        return _from_pillow(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    raise TypeError(
        "A picture must be a path, the bytes of a file, a Pillow image or a NumPy array. "
        f"Received: {type(source).__name__}. Read the file first, for instance with Path(name).read_bytes()."
    )


def format_of(start: bytes) -> str | None:
    """Name the format that the first bytes of a file (32 are enough) announce; None if we read none such."""
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WebP"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    return "BMP" if _is_bmp(start) else None


def check_file(path: Path) -> None:
    """Make sure, cheaply, that a photo can be decoded; raises the ImageError that `open_image` would.

    A JPEG whose header reads well and which ends with its end marker is taken at its word (8,000 of them
    take about a second); every other file is decoded.
    """
    try:
        with path.open("rb") as file:
            header_is_good = _jpeg_is_whole(file)
    except OSError as error:
        raise _unreadable(path) from error
    if not header_is_good:
        open_image(path)


def _jpeg_is_whole(file: io.BufferedReader) -> bool:
    if format_of(file.read(32)) != "JPEG":
        return False
    file.seek(-2, io.SEEK_END)
    if file.read() != b"\xff\xd9":
        return False
    file.seek(0)
    try:
        width, height = JpegImageFile(file).size
    except (OSError, SyntaxError, ValueError):
        return False  # the caller decodes it and finds the reason
    return 0 < width * height <= MAX_PIXELS


def _is_bmp(start: bytes) -> bool:
    # "BM" also begins ordinary words, so the header's own size or its reserved zeros must agree.
    header_size = int.from_bytes(start[14:18], "little")
    return start.startswith(b"BM") and (header_size in BMP_HEADER_SIZES or not start[6:10].strip(b"\0"))


def _open_path(path: str | Path, at_least: int) -> Image.Image:
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(path) from error
    try:
        return _decode(data, at_least)
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error


def _unreadable(path: str | Path) -> UnreadableFile:
    return UnreadableFile(
        f"A picture's path must name a file that can be read. Received: {str(path)!r}. "
        "Check the spelling and the permissions."
    )


def _decode(data: bytes, at_least: int) -> Image.Image:
    if not data:
        raise EmptyFile("A picture must have content. Received: zero bytes. Save or export it again.")
    name = format_of(data)
    if name is None:
        raise NotAnImage(
            f"A picture must be a {', '.join(READERS)} file, by its content. Received: {len(data):,} bytes "
            "of something else. Export the picture as JPEG or PNG."
        )
    with _as_damage(name):
        image = READERS[name](io.BytesIO(data))
        _check_size(image.size)
        if isinstance(image, JpegImageFile):
            image.draft(None, (at_least, at_least))
        return _upright_rgb(image)


def _from_pillow(image: Image.Image) -> Image.Image:
    _check_size(image.size)
    with _as_damage(image.format or "Pillow"):
        return _upright_rgb(image)


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ImageError(
            "An array must be RGB: uint8, 0 to 255, of shape (height, width, 3). "
            f"Received: {array.dtype} of shape {array.shape}. Convert it, or pass the file instead."
        )
    return Image.fromarray(array)


@contextmanager
def _as_damage(name: str) -> Iterator[None]:
    # The data is hostile and Pillow documents no list of what its parsers raise: beside OSError and
    # SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, struct.error,
    # zlib.error. Only our own errors and a lack of memory keep their meaning.
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many("far more") from error
    except Exception as error:
        raise DamagedImage(
            f"A picture must be whole. Received: a {name} file that breaks off or contradicts itself. "
            "Open it in an image editor and save it again, or send the original."
        ) from error


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_many(f"{width:,} by {height:,}")
    if width < 1 or height < 1:
        raise DamagedImage(f"A picture must have pixels. Received: {width} by {height}. Save it again.")


def _too_many(received: str) -> TooManyPixels:
    return TooManyPixels(f"A picture may have up to {MAX_PIXELS:,} pixels. Received: {received}. Scale it down.")


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    turn = UPRIGHT.get(_orientation(image))
    image = _to_rgb(image)
    if turn is None:
        return image
    upright = image.transpose(turn)
    upright.info.clear()  # Pillow keeps the orientation there: opened again, the picture would turn again
    return upright


def _orientation(image: Image.Image) -> int:
    # Broken EXIF is common and viewers show such photos all the same, as they are stored.
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error, UserWarning):
        return 1
    return orientation if isinstance(orientation, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _to_8_bit(image)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    if image.mode == "RGB":
        return image
    if image.mode in ("F", "LAB"):
        raise ImageError(
            "A Pillow image must have a mode with an agreed meaning as RGB. "
            f"Received: mode {image.mode}. Convert it to RGB first."
        )
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    # Pillow would clip at 255, and nearly every 16-bit grey turn white. The high byte is what it takes
    # of 16-bit colour too. Mode I may also hold a widened 8-bit picture.
    values = np.asarray(image)
    high = values if image.mode == "I" and values.max() <= 255 else values >> 8
    grey = Image.fromarray(high.clip(0, 255).astype(np.uint8))
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _on_white(image: Image.Image) -> Image.Image:
    # Pillow's own conversion shows whatever colour lies hidden under the transparent pixels.
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white
