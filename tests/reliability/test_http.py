"""HTTP that is not as it should be."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.servers import EDGE, FORM, Server

from .asking import MEMBERS, OF_THIS_MACHINE, caption, workers
from .cases import PHOTO, form, part
from .conftest import Told

WHOLE = form(part(PHOTO))
SECRET = "Vilnius-1990"


class Raw(NamedTuple):
    """What is sent as it stands, and the answers that will do."""

    what: str
    sent: bytes
    answers: tuple[str, ...]


def post(body: bytes, *lines: str, kind: str = FORM, length: int | None = None) -> bytes:
    """A request; `lines` in the place of its length where there are some."""
    size = lines or (f"Content-Length: {len(body) if length is None else length}",)
    head = "POST /predict HTTP/1.1", "Host: here", "Connection: close", f"Content-Type: {kind}", *size, "", ""
    return "\r\n".join(head).encode() + body


def get(*lines: str, line: str = "GET / HTTP/1.1") -> bytes:
    return "\r\n".join((line, "Host: here", "Connection: close", *lines, "", "")).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def option(name: str, value: bytes, file: bytes | None = None) -> bytes:
    return part(value, name, file)


def _forms() -> Iterator[Raw]:
    bad_form = ("400 bad_form",)
    yield Raw("a form without a boundary", post(WHOLE, kind="multipart/form-data"), bad_form)
    yield Raw("a form with another boundary", post(WHOLE, kind=FORM.replace(EDGE, "other")), bad_form)
    yield Raw("a photo in place of a form", post(PHOTO), bad_form)
    yield Raw("a form cut in the photo, its length told so", post(WHOLE[:200]), bad_form)
    yield Raw("a form without its end", post(part(PHOTO)), bad_form)
    yield Raw("a form without dispositions", post(f"--{EDGE}\r\n\r\nx\r\n--{EDGE}--\r\n".encode()), bad_form)
    for sent in (len(WHOLE) - 20, 100, 10):
        cut = post(WHOLE[:sent], length=len(WHOLE))
        yield Raw(f"a body that breaks off after {sent} bytes", cut, ("400 bad_request", "400 bad_form"))
    packed = gzip.compress(WHOLE)
    unpacked = f"Content-Length: {len(packed)}", "Content-Encoding: gzip"
    yield Raw("a compressed body", post(packed, *unpacked), ("415 unsupported_media_type",))
    bomb = gzip.compress(bytes(10**8))
    bombed = f"Content-Length: {len(bomb)}", "Content-Encoding: gzip"
    yield Raw("100 MB of zeros, compressed", post(bomb, *bombed), ("415 unsupported_media_type",))
    twice = form(option("beam_width", b"1"), option("beam_width", b"2"), part(PHOTO))
    yield Raw("an option given twice", post(twice), ("400 bad_option",))
    as_file = form(option("beam_width", b"1", b"one.txt"), part(PHOTO))
    yield Raw("an option sent as a file", post(as_file), ("400 bad_option",))
    many = form(part(PHOTO), *(part(b"x", f"field{number}", None) for number in range(3000)))
    yield Raw("3,000 fields", post(many), ("413 too_large",))
    files = form(*(part(b"x", f"file{number}") for number in range(3000)))
    yield Raw("3,000 files", post(files), ("413 too_large",))
    yield Raw("a head of a part without end", post(f"--{EDGE}\r\nX: ".encode() + b"x" * 500_000), ("413 too_large",))


def _bodies() -> Iterator[Raw]:
    chunked, end = "Transfer-Encoding: chunked", chunk(b"")
    pieces = b"".join(chunk(WHOLE[start : start + 7]) for start in range(0, len(WHOLE), 7))
    yield Raw("a form in chunks of 7 bytes", post(pieces + end, chunked), ("200",))
    beyond = b"".join([chunk(part(PHOTO)), *[chunk(bytes(2**16))] * 40, end])
    yield Raw("chunks beyond the limit", post(beyond, chunked), ("413 too_large",))
    for what, garbage in {
        "a chunk of length zz": b"zz\r\n" + WHOLE,
        "a chunk of length -5": b"-5\r\nhello\r\n",
        "a chunk cut short": chunk(WHOLE)[:-40],
    }.items():
        yield Raw(what, post(garbage, chunked), ("400 bad_request", "400 bad_form"))
    lengths = f"Content-Length: {len(WHOLE)}", f"Content-Length: {len(WHOLE) - 9}"
    yield Raw("two different lengths", post(WHOLE, *lengths), ("400 bad_request",))
    both = post(chunk(WHOLE) + end, f"Content-Length: {len(WHOLE)}", chunked)
    yield Raw("a length, and chunks", both, ("400 bad_request",))
    for length in (SECRET, "-1", "9" * 30):
        answers = ("413 too_large",) if length[0] == "9" else ("400 bad_request",)
        yield Raw(f"a length of {length}", post(b"", f"Content-Length: {length}"), answers)


def _heads() -> Iterator[Raw]:
    bad, nothing = "400 bad_request", "no answer"
    yield Raw("100 zeros", bytes(100), (bad, nothing))
    yield Raw("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello", (bad, nothing))
    yield Raw("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (bad, nothing))
    yield Raw("a request of one word", b"GET\r\n\r\n", (bad,))
    yield Raw("HTTP/9.9", get(line="GET / HTTP/9.9"), (bad,))
    yield Raw("half a head", b"POST /predict HTTP/1.1\r\nHost: he", (nothing, bad))
    yield Raw("an address of 8 kB", get(line=f"GET /{'x' * 8192} HTTP/1.1"), ("414 bad_request",))
    yield Raw("a header of 80 kB", get(f"X-Long: {'x' * 80_000}"), ("431 bad_request",))
    yield Raw("500 headers", get(*(f"X-{number}: x" for number in range(500))), ("431 bad_request",))
    yield Raw("a header with a blank in its name", get(f"{SECRET} : x"), (bad,))
    yield Raw("two schemes of a proxy", get("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"), (bad,))
    yield Raw("an expectation nobody knows", get(f"Expect: {SECRET}"), (bad,))
    yield Raw("headers that are not UTF-8", get().replace(b"here", b"\xff\xfe"), ("200", bad))
    yield Raw(
        "a type that is not UTF-8", post(WHOLE).replace(FORM.encode(), b"\xff/\xfe"), ("415 unsupported_media_type",)
    )
    yield Raw("a query that is not UTF-8", get(line="GET /?beam_width=%FF%00 HTTP/1.1"), ("200",))
    yield Raw("an address that climbs", get(line="GET /static/../../etc/passwd HTTP/1.1"), ("404 not_found",))
    yield Raw("an encoded NUL in the address", get(line="GET /static/%00 HTTP/1.1"), ("404 not_found",))
    yield Raw("a method nobody knows", get(line="BREW / HTTP/1.1"), ("405 method_not_allowed",))
    yield Raw("an ETag that is none", get(f'If-None-Match: "{SECRET}', "Range: bytes=9-x"), ("200",))


RAW = (*_forms(), *_bodies(), *_heads())


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw.what)
def test_garbled_http_is_answered_as_what_it_is(server: Server, told: Told, raw: Raw) -> None:
    before, started = workers(server), time.perf_counter()
    head, _, body = server.say(raw.sent).partition(b"\r\n\r\n")
    seconds, answer = time.perf_counter() - started, heard(head, body)
    assert answer in raw.answers
    assert SECRET.encode() not in head + body and not OF_THIS_MACHINE.search(body.decode())
    assert SECRET not in server.log.read_text()
    assert caption(server, PHOTO).status == 200 and workers(server) == before
    told(raw.what, answer, seconds)


def heard(head: bytes, body: bytes) -> str:
    if not head:
        return "no answer"
    status = int(head.split()[1])
    if status < 400:
        return str(status)
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    problem = json.loads(body)
    assert problem.keys() == MEMBERS and problem["status"] == status
    assert f"\r\nX-Request-ID: {problem['instance']}".encode() in head
    return f"{status} {problem['code']}"
