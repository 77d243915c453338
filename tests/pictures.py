"""Made-up pictures for the tests: small, exact, and in every form a stranger may send."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

CORNERS = ((220, 30, 40), (30, 200, 60), (40, 50, 210), (240, 230, 80))  # red, green, blue, yellow


def corners(width: int = 48, height: int = 32) -> Image.Image:
    """Four plain quarters, each of its own colour: any turn or flip shows."""
    picture = Image.new("RGB", (width, height))
    for index, colour in enumerate(CORNERS):
        x, y = (index % 2) * width // 2, (index // 2) * height // 2
        picture.paste(colour, (x, y, x + width // 2, y + height // 2))
    return picture


def noise(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    """Every pixel at random: the most that a codec can be asked to keep."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def gradient(width: int = 48, height: int = 32) -> Image.Image:
    """Smooth from corner to corner: what a reduced decode must keep."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - (x + y) / 2], axis=-1).astype(np.uint8))


def encode(picture: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of a file; `form` is Pillow's name of the format."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """An RGB PNG that announces a size and holds no pixels: 57 bytes."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", size), (b"IDAT", b""), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def webp_header(width: int, height: int) -> bytes:
    """A WebP that announces a canvas and holds no pixels: 30 bytes."""
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas


def gif_header(width: int, height: int) -> bytes:
    """A GIF whose first frame announces a size and holds no pixels: 26 bytes."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x00;"
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(3) + frame


def bmp_header(width: int, height: int) -> bytes:
    """A 24-bit BMP that announces a size and holds no pixels: 54 bytes."""
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
