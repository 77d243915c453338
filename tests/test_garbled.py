"""Forms that are not as they should be are answered as what they are. Over a socket: `reliability/test_http.py`."""

import gzip
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from web.settings import Settings

PHOTO = encode(corners(), "PNG")
FORM = "multipart/form-data; boundary=edge"


def part(content: bytes = PHOTO, disposition: str = 'form-data; name="image"; filename="a.png"') -> bytes:
    return f"--edge\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


WHOLE = part() + b"--edge--\r\n"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return create_app(Settings(max_upload_mb=1, cache_mb=0), CaptionGenerator(untrained())).test_client()


def post(client: FlaskClient, body: bytes, kind: str = FORM, **headers: str) -> tuple[int, Any]:
    answer = client.post("/predict", data=body, content_type=kind, headers=headers)
    return answer.status_code, answer.json.get("code") if isinstance(answer.json, dict) else None


def test_a_whole_form_is_fine(client: FlaskClient) -> None:
    assert post(client, WHOLE) == (200, None)
    assert post(client, b"a preamble\r\n" + WHOLE + b"an epilogue") == (200, None)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (WHOLE, "multipart/form-data"),
        (WHOLE, "multipart/form-data; boundary=other"),
        (WHOLE, "multipart/form-data; boundary="),
        (WHOLE, "multipart/form-data; boundary=écran"),
        (PHOTO, FORM),
        (b"\x00" * 40, FORM),
        (part(), FORM),
        (WHOLE[:80], FORM),
        (WHOLE[:30], FORM),
        (b"--edge\r\nContent-Type: image/png\r\n\r\n" + PHOTO + b"\r\n--edge--\r\n", FORM),
    ],
    ids=[
        *("no boundary", "another boundary", "empty boundary", "odd boundary", "raw photo", "zeros"),
        *("no end", "cut in the photo", "cut in the head", "no disposition"),
    ],
)
def test_a_form_that_cannot_be_taken_apart_is_a_bad_form(client: FlaskClient, body: bytes, kind: str) -> None:
    assert post(client, body, kind) == (400, "bad_form")


def test_a_form_of_no_parts_or_no_bytes_forgot_its_photo(client: FlaskClient) -> None:
    assert post(client, b"--edge--\r\n") == (400, "no_file")
    assert post(client, b"") == (400, "no_file")
    assert post(client, b"", "application/json") == (400, "no_file")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZip", "identity, gzip"])
def test_a_compressed_body_is_not_unpacked(client: FlaskClient, coding: str) -> None:
    assert post(client, gzip.compress(WHOLE), **{"Content-Encoding": coding}) == (415, "unsupported_media_type")
    assert post(client, WHOLE, **{"Content-Encoding": "identity"}) == (200, None)


def test_two_files_in_one_field_are_never_a_silent_first(client: FlaskClient) -> None:
    assert post(client, part() + WHOLE) == (400, "multiple_files")
    assert post(client, part() + part(b"text", 'form-data; name="file"; filename="b"') + b"--edge--\r\n")[0] == 400


@pytest.mark.parametrize("name", ["num_captions", "beam_width", "return_image", "return_attention"])
def test_an_option_is_given_once_and_as_text(client: FlaskClient, name: str) -> None:
    values = [part(value, f'form-data; name="{name}"') for value in (b"1", b"0")]
    assert post(client, b"".join(values) + WHOLE) == (400, "bad_option")
    as_file = part(b"1", f'form-data; name="{name}"; filename="one"')
    assert post(client, as_file + WHOLE) == (400, "bad_option")


def test_thousands_of_parts_are_too_many(client: FlaskClient) -> None:
    many = b"".join(part(b"x", f'form-data; name="field{number}"') for number in range(3000))
    assert post(client, many + WHOLE) == (413, "too_large")
    files = b"".join(part(b"x", f'form-data; name="f{number}"; filename="x"') for number in range(3000))
    assert post(client, files + WHOLE) == (413, "too_large")


def test_part_heads_without_end_are_too_large(client: FlaskClient) -> None:
    assert post(client, b"--edge\r\nX: " + b"x" * 500_000) == (413, "too_large")
