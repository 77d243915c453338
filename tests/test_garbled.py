"""HTTP that is not as it should be is answered as what it is: in process, and over a socket of the real server."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from model.bundle import save_bundle
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from tests.servers import GUNICORN, Server, running
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


# ---------------------------------------------------------------- over a socket


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("garbled")
    save_bundle(folder / "artifact", untrained())
    with running(GUNICORN, folder / "artifact", folder / "log", MAX_UPLOAD_MB="1") as server:
        yield server
    assert "Traceback" not in server.log.read_text()


def head(*lines: str) -> bytes:
    given = ("POST /predict HTTP/1.1", "Host: here", "Connection: close", f"Content-Type: {FORM}", *lines, "", "")
    return "\r\n".join(given).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def heard(answer: bytes) -> tuple[int, Any]:
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body).get("code") if b"json" in top else None


def test_a_chunked_form_is_read(server: Server) -> None:
    pieces = (chunk(WHOLE[start : start + 7]) for start in range(0, len(WHOLE), 7))
    assert heard(server.say(head("Transfer-Encoding: chunked"), b"".join(pieces), chunk(b""))) == (200, None)


def test_a_chunked_body_beyond_the_limit_is_too_large(server: Server) -> None:
    pieces = [head("Transfer-Encoding: chunked"), chunk(part()), *[chunk(bytes(2**16))] * 40, chunk(b"")]
    assert heard(server.say(*pieces)) == (413, "too_large")


def test_garbled_chunks_are_a_bad_request(server: Server) -> None:
    for garbage in (b"zz\r\n" + WHOLE, b"-5\r\nhello\r\n", chunk(WHOLE)[:-40]):
        status, code = heard(server.say(head("Transfer-Encoding: chunked"), garbage))
        assert status == 400 and code in ("bad_request", "bad_form")


def test_a_body_cut_before_its_end_is_a_bad_request(server: Server) -> None:
    for sent in (len(WHOLE) - 20, 100, 10):
        status, code = heard(server.say(head(f"Content-Length: {len(WHOLE)}"), WHOLE[:sent]))
        assert (status, code) in ((400, "bad_request"), (400, "bad_form"))


def test_a_request_with_two_lengths_is_refused(server: Server) -> None:
    lengths = f"Content-Length: {len(WHOLE)}", f"Content-Length: {len(WHOLE) - 9}"
    assert heard(server.say(head(*lengths), WHOLE))[0] == 400
    both = f"Content-Length: {len(WHOLE)}", "Transfer-Encoding: chunked"
    assert heard(server.say(head(*both), chunk(WHOLE), chunk(b"")))[0] == 400


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"\x16\x03\x01 hello", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_hurts_nobody(server: Server, garbage: bytes) -> None:
    answer = server.say(garbage)
    assert not answer or answer.split()[1].startswith(b"4") or answer.split()[1] == b"505"
    assert b"Traceback" not in answer
    assert server.caption(PHOTO)[0] == 200
