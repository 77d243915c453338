"""Uploads of every kind, row by row, and what a server must answer to each."""

import io
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.pictures import corners, encode, gradient, noise, png_chunk, png_header
from tests.servers import EDGE, FORM, form_of

ORIENTATION = 0x0112
STORED = {  # how a picture lies in a file whose EXIF says to turn it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
NAMES = {
    "`../../x`": b"../../etc/passwd.jpg",
    "NUL": b"told\0.jpg",
    "`<script>`": b"<script>told()</script>.jpg",
    "4 kB": b"told" * 1024,
    "another script": "写真-told.jpg".encode(),
    "not UTF-8": b"told-\xe9t\xe9\xff.jpg",
    "a quote and a line break": b'told\\"%0d%0a.jpg',
}


class Case(NamedTuple):
    """A request and its answer."""

    what: str
    body: bytes
    answer: str
    kind: str = FORM
    like: bytes | None = None  # a plain picture with the same captions


def part(content: bytes, name: str = "image", file: bytes | None = b"photo.jpg", kind: str = "") -> bytes:
    """One field of a form; `file` is the name of a file, None for text."""
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"'.encode()
    head += b"" if file is None else b'; filename="' + file + b'"'
    head += f"\r\nContent-Type: {kind}".encode() if kind else b""
    return head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{EDGE}--\r\n".encode()


def png(picture: Image.Image) -> bytes:
    return encode(picture, "PNG")


PHOTO = png(corners())


def _all() -> Iterator[Case]:
    yield from _no_photo()
    yield from _no_picture()
    yield from _damaged()
    yield from _too_much()
    yield from _every_form()
    for what, name in NAMES.items():
        yield Case(f"a file name: {what}", form(part(PHOTO, file=name)), "200", like=PHOTO)


def _no_photo() -> Iterator[Case]:
    yield Case("no body", b"", "400 no_file", kind="")
    yield Case("the wrong field name", form(part(PHOTO, "photo")), "400 no_file")
    yield Case("an empty file name", form(part(b"", file=b"")), "400 no_file")
    yield Case("the field sent as text", form(part(b"photo.jpg", file=None)), "400 no_file")
    yield Case("a JSON body", b'{"image": "aGVsbG8="}', "415 unsupported_media_type", "application/json")
    for kind in ("image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded"):
        jpeg = encode(corners(), "JPEG")
        yield Case(f"a raw photo as {kind}", jpeg, "415 unsupported_media_type", kind)
    yield Case("zero bytes", form_of(b""), "400 empty_file")
    yield Case("two files in one field", form(part(PHOTO), part(PHOTO)), "400 multiple_files")
    yield Case("two files in two fields", form(part(PHOTO), part(PHOTO, "file")), "400 multiple_files")


def _no_picture() -> Iterator[Case]:
    contents = {
        "text": b"a dog runs through the grass",
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "PDF": b"%PDF-1.7\n",
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "ICO": encode(corners(), "ICO"),
        "TIFF": encode(corners(), "TIFF"),
    }
    for name, content in contents.items():
        yield Case(f"{name} named photo.jpg", form(part(content, kind="image/jpeg")), "415 not_an_image")
    for pillow in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        content = encode(corners(), pillow)
        body = form(part(content, file=b"notes.txt", kind="text/plain"))
        yield Case(f"{pillow} named notes.txt", body, "200", like=_as_png(content))


def _damaged() -> Iterator[Case]:
    for pillow in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        content = encode(noise(64, 48), pillow)
        yield Case(f"half a {pillow}", form_of(content[: len(content) // 2]), "422 damaged_image")
    yield Case("a PNG with a bad header", form_of(PHOTO[:16] + b"\xff" * 8 + PHOTO[24:]), "422 damaged_image")
    yield Case("a PNG signature and zeros", form_of(PHOTO[:8] + bytes(60)), "422 damaged_image")
    checksum = PHOTO.index(b"IEND") - 8
    wrong = PHOTO[:checksum] + bytes(4) + PHOTO[checksum + 4 :]
    yield Case("a PNG with a wrong data checksum, all pixels there", form_of(wrong), "200", like=PHOTO)
    yield Case("a PNG without its end chunk, all pixels there", form_of(PHOTO[:-12]), "200", like=PHOTO)
    jpeg = encode(corners(), "JPEG")
    yield Case("a JPEG without its end marker, all pixels there", form_of(jpeg[:-2]), "422 damaged_image")
    text = png_chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(2 * 10**7)))
    yield Case("a PNG with 20 MB of packed text", form_of(PHOTO[:33] + text + PHOTO[33:]), "422 damaged_image")


def _too_much() -> Iterator[Case]:
    yield Case("a PNG of 50,000 × 50,000 in its header", form_of(png_header(50_000, 50_000)), "422 too_many_pixels")
    for width, height in ((20_000, 1), (1, 20_000), (1, 1)):
        yield Case(f"a picture of {width:,} × {height:,}", form_of(png(gradient(width, height))), "200")
    yield Case("a body over the limit", form_of(PHOTO + bytes(2**20)), "413 too_large")
    many = [part(b"x", f"field{number}", file=None) for number in range(40)]
    yield Case("too many parts", form(part(PHOTO), *many), "413 too_large")
    yield Case("a huge text field", form(part(PHOTO), part(b"x" * 200_000, "note", None)), "413 too_large")


def _every_form() -> Iterator[Case]:
    picture = gradient()
    alpha = picture.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(picture.size))
    white = Image.new("RGB", picture.size, "white")
    white.paste(alpha, mask=alpha)
    palette = picture.quantize(16)
    see_through = palette.copy()
    see_through.info["transparency"] = 0
    grey16 = (np.asarray(picture.convert("L")).astype(np.uint16) << 8) + 77
    stored = {
        "grey": (png(picture.convert("L")), png(picture.convert("L").convert("RGB"))),
        "1 bit": (png(picture.convert("1")), png(picture.convert("1").convert("RGB"))),
        "a palette": (png(palette), png(palette.convert("RGB"))),
        "a palette with transparency": (png(see_through), png(_on_white(see_through.convert("RGBA")))),
        "alpha": (png(alpha), png(white)),
        "16 bits": (png(Image.fromarray(grey16)), png(picture.convert("L").convert("RGB"))),
        "CMYK": (cmyk := encode(picture.convert("CMYK"), "JPEG"), _as_png(cmyk)),
    }
    for what, (content, like) in stored.items():
        yield Case(f"colours: {what}", form_of(content), "200", like=like)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        turned = corners().transpose(STORED[orientation]) if orientation in STORED else corners()
        content = encode(turned, "PNG", exif=exif)
        yield Case(f"EXIF orientation {orientation}", form_of(content), "200", like=PHOTO)
    frames = [noise(64, 48, seed) for seed in range(100)]
    for pillow, options in (("GIF", {}), ("WEBP", {"lossless": True})):
        content = encode(frames[0].quantize(32).convert("RGB"), pillow, save_all=True, append_images=frames, **options)
        yield Case(f"an animated {pillow} of 101 frames", form_of(content), "200", like=_as_png(content))


def _as_png(content: bytes) -> bytes:
    """The first frame, as plain RGB."""
    with Image.open(io.BytesIO(content)) as image:
        return png(image.convert("RGB"))


def _on_white(picture: Image.Image) -> Image.Image:
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture)
    return white


CASES = tuple(_all())
