"""What the one decoder promises: the same picture, whatever it is wrapped in, or a plain reason why not."""

import io
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.errors import (
    DamagedImage,
    EmptyFile,
    ImageError,
    NotAnImage,
    TooManyPixels,
    UnreadableFile,
)
from model.image import MAX_PIXELS, check_file, format_of, load_pixels, open_image, to_pixels
from tests.pictures import (
    bmp_header,
    corners,
    encode,
    gif_header,
    gradient,
    noise,
    png_chunk,
    png_header,
    webp_header,
)

FORMS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
EXIF_ORIENTATION = 0x0112


def pixels_of(picture: Image.Image) -> NDArray[Any]:
    return np.asarray(picture)


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return exif


# ---------------------------------------------------------------- the content decides


@pytest.mark.parametrize("form", FORMS)
def test_every_format_opens_as_rgb_of_its_own_size(form: str) -> None:
    opened = open_image(encode(corners(48, 32), form))
    assert (opened.mode, opened.size) == ("RGB", (48, 32))


@pytest.mark.parametrize("form", FORMS)
def test_first_bytes_alone_name_the_format(form: str) -> None:
    assert (format_of(encode(corners(), form)[:32]) or "none").upper() == form


def test_name_of_a_file_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    path.write_bytes(encode(corners(), "PNG"))
    assert np.array_equal(pixels_of(open_image(path)), pixels_of(corners()))


def test_two_frame_phone_jpeg_opens_as_its_first_frame() -> None:
    data = encode(corners(), "MPO", save_all=True, append_images=[noise()], quality=95)
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert np.array_equal(pixels_of(open_image(data)), pixels_of(open_image(encode(corners(), "JPEG", quality=95))))


@pytest.mark.parametrize(
    "content",
    [
        b"just some words",
        b"<!doctype html><img src=photo.jpg>",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"%PDF-1.7 and so on",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"BMW is a maker of cars, not a bitmap",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"\x00",
        bytes(1000),
        encode(corners(), "TIFF"),
        encode(corners(), "ICO"),
        encode(corners(), "PPM"),
        encode(corners(), "JPEG2000"),
    ],
    ids=["text", "html", "svg", "pdf", "eps", "words", "wav", "nul", "nuls", "tiff", "ico", "ppm", "jp2"],
)
def test_what_is_in_no_format_we_read_is_not_an_image(content: bytes) -> None:
    with pytest.raises(NotAnImage, match="must be a JPEG, PNG, WebP, GIF, BMP file"):
        open_image(content)


def test_zero_bytes_are_an_empty_file() -> None:
    with pytest.raises(EmptyFile, match="zero bytes"):
        open_image(b"")


# ---------------------------------------------------------------- damaged


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
def test_truncated_file_is_damaged(form: str, share: float) -> None:
    data = encode(noise(64, 64), form)
    with pytest.raises(DamagedImage, match="must be whole"):
        open_image(data[: max(20, int(len(data) * share))])


def test_truncated_progressive_jpeg_is_damaged() -> None:
    data = encode(noise(64, 64), "JPEG", progressive=True)
    with pytest.raises(DamagedImage):
        open_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    "content",
    [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x04\x00\x00\x00WEBP", b"GIF89a", b"BM"],
    ids=FORMS,
)
def test_bare_signature_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedImage):
        open_image(content)


@pytest.mark.parametrize("form", FORMS)
def test_signature_followed_by_nonsense_is_damaged(form: str) -> None:
    start = {"PNG": 8, "GIF": 6, "WEBP": 12, "JPEG": 3, "BMP": 18}[form]
    with pytest.raises(DamagedImage):
        open_image(encode(corners(), form)[:start] + b"\xa5" * 400)


def test_png_with_a_bad_header_is_damaged() -> None:
    data = bytearray(encode(corners(), "PNG"))
    data[29] ^= 1  # a byte of the header's checksum
    with pytest.raises(DamagedImage):
        open_image(bytes(data))


def test_png_with_a_wrong_data_checksum_opens() -> None:
    # All its pixels are there. Of the two answers a service may give, ours is the picture.
    data = bytearray(encode(corners(), "PNG"))
    data[data.index(b"IEND") - 5] ^= 1  # the last byte of the checksum of the pixels
    assert np.array_equal(pixels_of(open_image(bytes(data))), pixels_of(corners()))


def test_jpeg_without_an_end_marker_is_damaged() -> None:
    # Only the decoder could tell that all pixels are there, and it does not say.
    with pytest.raises(DamagedImage):
        open_image(encode(corners(), "JPEG")[:-2])


def test_zero_by_zero_pixels_are_damaged() -> None:
    with pytest.raises(DamagedImage):
        open_image(png_header(0, 0))


@pytest.mark.parametrize("form", FORMS)
def test_random_damage_never_escapes_as_another_error(form: str) -> None:
    random = np.random.default_rng(7)
    whole = encode(noise(16, 16), form)
    for _ in range(200):
        data = bytearray(whole)
        for position in random.integers(0, min(len(data), 200), 4):
            data[position] = random.integers(256)
        with suppress(ImageError):  # a plain reason is the other right answer
            assert open_image(bytes(data)).mode == "RGB"


def test_a_message_shows_nothing_of_the_library_beneath() -> None:
    with pytest.raises(DamagedImage) as caught:
        open_image(encode(noise(), "PNG")[:200])
    assert isinstance(caught.value.__cause__, OSError)
    assert str(caught.value.__cause__) not in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- too many pixels


@pytest.mark.parametrize("header", [png_header, webp_header, gif_header, bmp_header])
def test_size_is_refused_from_the_header_alone(header: Callable[[int, int], bytes]) -> None:
    data = header(50_000, 50_000)
    open_image(encode(corners(), "PNG"))  # pays for what is loaded once
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(TooManyPixels, match="up to 50,000,000 pixels"):
        open_image(data)
    seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(data) < 65
    assert seconds < 0.05
    assert peak < 1_000_000


def test_limit_lies_between_its_own_size_and_one_row_more() -> None:
    width = 10_000
    with pytest.raises(DamagedImage):  # accepted as a size, then found to hold no pixels
        open_image(png_header(width, MAX_PIXELS // width))
    with pytest.raises(TooManyPixels, match="10,000 by 5,001"):
        open_image(png_header(width, MAX_PIXELS // width + 1))


def test_pillows_own_limit_and_the_warning_filters_stay_as_they_were() -> None:
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    for side in (9_000, 12_000, 50_000):  # beyond ours, beyond Pillow's warning, beyond its error
        with pytest.raises(TooManyPixels):
            open_image(png_header(side, side))
        with pytest.raises(TooManyPixels):
            open_image(gif_header(side, side))
    assert (limit, filters) == (Image.MAX_IMAGE_PIXELS, list(warnings.filters))


def test_too_large_pillow_image_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(TooManyPixels):
        open_image(Image.open(io.BytesIO(png_header(9_000, 9_000))))


def test_png_text_that_inflates_without_end_is_refused() -> None:
    bomb = png_chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(50_000_000)))
    data = encode(corners(), "PNG")
    with pytest.raises(DamagedImage):
        open_image(data[:33] + bomb + data[33:])


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 20_000)])
def test_extreme_shapes_become_pixels(size: tuple[int, int]) -> None:
    data = encode(Image.new("RGB", size, (9, 99, 199)), "PNG")
    pixels = load_pixels(data, (224, 224))
    assert pixels.shape == (224, 224, 3)
    assert (pixels == (9, 99, 199)).all()


# ---------------------------------------------------------------- every mode is its own RGB conversion

GREY = corners().convert("L")


@pytest.mark.parametrize(
    ("stored", "form"),
    [
        (GREY, "PNG"),
        (GREY, "JPEG"),
        (GREY, "BMP"),
        (GREY, "GIF"),
        (corners().convert("1"), "PNG"),
        (corners().convert("1"), "BMP"),
        (corners().quantize(8), "PNG"),
        (corners().quantize(8), "GIF"),
        (corners().quantize(8), "BMP"),
        (corners().convert("CMYK"), "JPEG"),
        (corners().convert("RGBA"), "PNG"),
        (corners().convert("LA"), "PNG"),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_mode_opens_as_its_own_rgb_conversion(stored: Image.Image, form: str) -> None:
    data = encode(stored, form)
    expected = Image.open(io.BytesIO(data)).convert("RGB")
    assert np.array_equal(pixels_of(open_image(data)), pixels_of(expected))


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    wide = Image.fromarray(pixels_of(GREY).astype(np.uint16) * 257)
    opened = open_image(encode(wide, "PNG"))
    assert np.array_equal(pixels_of(opened), pixels_of(GREY.convert("RGB")))


@pytest.mark.parametrize("factor", [1, 257])
def test_32_bit_grey_holds_8_or_16_bits(factor: int) -> None:
    wide = Image.fromarray(pixels_of(GREY).astype(np.int32) * factor)
    assert wide.mode == "I"
    assert np.array_equal(pixels_of(open_image(wide)), pixels_of(GREY.convert("RGB")))


def test_16_bit_grey_with_a_transparent_value_is_laid_on_white() -> None:
    wide = Image.fromarray(np.array([[1000, 40_000]], np.uint16))
    opened = open_image(encode(wide, "PNG", transparency=1000))
    assert pixels_of(opened).tolist() == [[[255] * 3, [40_000 >> 8] * 3]]


def test_colour_under_transparent_pixels_never_shows() -> None:
    hidden = corners().convert("RGBA")
    hidden.putalpha(0)
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        assert (pixels_of(open_image(encode(hidden, form, **options))) == 255).all()


def test_half_transparent_black_on_white_is_grey() -> None:
    veil = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert (pixels_of(open_image(encode(veil, "PNG"))) == 127).all()


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_transparent_palette_entry_is_white(form: str) -> None:
    palette = corners().quantize(4)
    hidden = palette.getpixel((0, 0))
    opened = pixels_of(open_image(encode(palette, form, transparency=hidden)))
    expected = pixels_of(palette.convert("RGB")).copy()
    expected[pixels_of(palette) == hidden] = 255
    assert np.array_equal(opened, expected)


def test_palette_with_partial_transparency_is_laid_on_white() -> None:
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    opened = open_image(encode(palette, "PNG", transparency=bytes([128, 255])))
    assert pixels_of(opened).tolist() == [[[127] * 3, [10, 20, 30]]]


def test_transparent_colour_of_an_rgb_png_is_white() -> None:
    opened = pixels_of(open_image(encode(corners(), "PNG", transparency=(220, 30, 40))))
    assert (opened[0, 0] == 255).all()
    assert tuple(opened[-1, -1]) == (240, 230, 80)


# ---------------------------------------------------------------- upright


STORED_AS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.transpose(1, 0, 2),
    6: np.rot90,  # a quarter turn to the left, so that showing it takes one to the right
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED_AS[orientation](pixels_of(corners()))))
    data = encode(stored, "PNG", exif=oriented(orientation))
    assert np.array_equal(pixels_of(open_image(data)), pixels_of(corners()))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_a_picture_opened_twice_is_turned_once(form: str) -> None:
    once = open_image(encode(corners(48, 32), form, exif=oriented(6)))
    assert np.array_equal(pixels_of(open_image(once)), pixels_of(once))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_exif_orientation_is_read_from_every_format_that_carries_it(form: str) -> None:
    assert open_image(encode(corners(48, 32), form, exif=oriented(6))).size == (32, 48)


def test_exif_orientation_survives_the_reduced_decode() -> None:
    assert open_image(encode(gradient(2000, 1000), "JPEG", exif=oriented(8))).size == (500, 1000)


@pytest.mark.parametrize("exif", [oriented(0), oriented(9), oriented(65_535), b"Exif\0\0nonsense"])
def test_meaningless_orientation_leaves_the_picture_as_stored(exif: Image.Exif | bytes) -> None:
    opened = open_image(encode(corners(), "WEBP", exif=exif, lossless=True))
    assert np.array_equal(pixels_of(opened), pixels_of(corners()))


# ---------------------------------------------------------------- animation


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame_in_bounded_time(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    rest = [noise(seed=seed) for seed in range(60)]
    data = encode(corners(), form, save_all=True, append_images=rest, duration=40, **options)
    began = time.process_time()
    opened = open_image(data)
    assert time.process_time() - began < 0.25
    assert np.array_equal(pixels_of(opened), pixels_of(corners()))


# ---------------------------------------------------------------- every kind of source


def test_path_bytes_pillow_and_array_give_the_same_pixels(tmp_path: Path) -> None:
    data = encode(corners(), "PNG")
    path = tmp_path / "corners.png"
    path.write_bytes(data)
    sources = (path, str(path), data, bytearray(data), memoryview(data), corners(), pixels_of(corners()))
    for source in sources:
        assert np.array_equal(pixels_of(open_image(source)), pixels_of(corners()))


def test_pillow_image_is_turned_upright_and_left_as_it_was() -> None:
    given = Image.open(io.BytesIO(encode(corners(48, 32), "PNG", exif=oriented(6))))
    assert open_image(given).size == (32, 48)
    assert given.size == (48, 32)


def test_truncated_pillow_image_is_damaged() -> None:
    data = encode(noise(), "PNG")
    with pytest.raises(DamagedImage):
        open_image(Image.open(io.BytesIO(data[: len(data) // 2])))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_array_that_is_not_8_bit_rgb_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(ImageError, match=r"must be RGB: uint8.*Received: .*Convert it"):
        open_image(array)


def test_array_may_be_a_view() -> None:
    view = pixels_of(corners())[::-1, ::2]
    assert np.array_equal(pixels_of(open_image(view)), view)


@pytest.mark.parametrize("mode", ["F", "LAB"])
def test_pillow_mode_without_an_agreed_meaning_is_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=f"mode {mode}. Convert it to RGB first"):
        open_image(Image.new(mode, (4, 4)))


@pytest.mark.parametrize("source", [None, 7, io.BytesIO(b"data"), [b"data"]])
def test_any_other_source_is_a_type_error(source: Any) -> None:
    with pytest.raises(TypeError, match="must be a path, the bytes of a file"):
        open_image(source)


@pytest.mark.parametrize("name", ["missing.jpg", "", "nul\0.jpg"])
def test_path_that_cannot_be_read_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match="Check the spelling"):
        open_image(f"{tmp_path}/{name}")


def test_error_about_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(encode(noise(), "PNG")[:100])
    with pytest.raises(DamagedImage, match=r"broken\.png: A picture must be whole"):
        open_image(tmp_path / "broken.png")


# ---------------------------------------------------------------- the one resize


def test_size_is_height_then_width() -> None:
    assert to_pixels(corners(), (10, 20)).shape == (10, 20, 3)


def test_pixels_of_the_right_size_are_untouched() -> None:
    pixels = to_pixels(noise(48, 32), (32, 48))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, pixels_of(noise(48, 32)))


def test_picture_is_stretched_and_keeps_its_corners() -> None:
    pixels = to_pixels(corners(300, 100), (64, 64))
    shown = [tuple(pixels[y, x].tolist()) for y in (8, 56) for x in (8, 56)]
    assert shown == [(220, 30, 40), (30, 200, 60), (40, 50, 210), (240, 230, 80)]


def test_stretch_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[1::2] = 255
    pixels = to_pixels(Image.fromarray(stripes), (56, 56)).astype(int)
    assert np.abs(pixels - 127).max() <= 6  # skipping would give 0 or 255


def test_load_pixels_is_open_then_stretch() -> None:
    data = encode(noise(), "JPEG")
    assert np.array_equal(load_pixels(data, (20, 30)), to_pixels(open_image(data), (20, 30)))


# ---------------------------------------------------------------- big JPEGs at reduced scale


@pytest.mark.parametrize(
    ("stored", "opened"),
    [
        ((448, 448), (448, 448)),
        ((895, 3000), (895, 3000)),
        ((896, 896), (448, 448)),
        ((4000, 3000), (1000, 750)),
        ((4001, 3600), (501, 450)),
    ],
)
def test_big_jpeg_is_reduced_and_keeps_at_least_448_a_side(stored: tuple[int, int], opened: tuple[int, int]) -> None:
    assert open_image(encode(Image.new("RGB", stored), "JPEG")).size == opened


def test_larger_network_input_is_given_a_larger_decode() -> None:
    data = encode(noise(1200, 1200), "JPEG")
    full = to_pixels(open_image(data, at_least=1200), (600, 600))
    assert np.array_equal(load_pixels(data, (600, 600)), full)


def test_reduced_decode_agrees_with_the_full_one() -> None:
    picture = gradient(2400, 1800)
    reduced = load_pixels(encode(picture, "JPEG", quality=95), (224, 224)).astype(int)
    assert np.abs(reduced - to_pixels(picture, (224, 224))).max() <= 4


# ---------------------------------------------------------------- the cheap check of training files


def write(folder: Path, data: bytes) -> Path:
    path = folder / "photo.jpg"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_whole_file_passes_the_check(tmp_path: Path, form: str) -> None:
    check_file(write(tmp_path, encode(corners(), form)))


def test_jpeg_with_something_after_its_end_passes_the_check(tmp_path: Path) -> None:
    check_file(write(tmp_path, encode(corners(), "JPEG") + b"a maker's trailer"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", EmptyFile),
        (b"words", NotAnImage),
        (encode(noise(), "JPEG")[:-40], DamagedImage),
        (encode(noise(), "PNG")[:-40], DamagedImage),
        (b"\xff\xd8\xff\xe0 no header \xff\xd9", DamagedImage),
        (png_header(9_000, 9_000), TooManyPixels),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "bad header", "too large"],
)
def test_check_finds_what_opening_would_find(tmp_path: Path, data: bytes, reason: type[ImageError]) -> None:
    with pytest.raises(reason):
        check_file(write(tmp_path, data))


def test_check_of_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        check_file(tmp_path / "missing.jpg")
