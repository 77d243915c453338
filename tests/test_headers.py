"""Law of the headers: whatever is asked, and however it ends, the answer tells browsers what it may and may not do."""

import io
from collections.abc import Iterator
from http.client import parse_headers
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from app import create_app
from model.bundle import save_bundle
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from tests.servers import GUNICORN, running
from web.settings import Settings

PHOTO = encode(corners(), "PNG")
POLICY = {
    "default-src 'self'",
    "img-src 'self' blob: data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
PAGE = "text/html"


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained())


@pytest.fixture
def app(captioner: CaptionGenerator) -> Flask:
    return create_app(Settings(max_upload_mb=1), captioner)


def send(app: Flask, url: str = "/predict", content: bytes = PHOTO, accept: str = "*/*") -> TestResponse:
    return app.test_client().post(url, data={"image": (io.BytesIO(content), "a.png")}, headers={"Accept": accept})


def is_safe(headers: Headers) -> bool:
    """The headers that every answer has, each of them once."""
    assert headers.getlist("Content-Security-Policy") == [headers["Content-Security-Policy"]]
    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert set(headers["Permissions-Policy"].split(", ")) == {"camera=()", "geolocation=()", "microphone=()"}
    return bool(headers["X-Request-ID"])


def is_never_stored(headers: Headers) -> bool:
    return headers.getlist("Cache-Control") == ["no-store"]


def addresses(app: Flask) -> Iterator[str]:
    """Every one that is served, and a few that are not."""
    yield from (rule.rule.replace("<path:filename>", "css/style.css") for rule in app.url_map.iter_rules())
    yield from ("/nowhere", "/static/nowhere", "/static/../app.py", "/health/")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_every_method_on_every_address_is_answered_with_them(app: Flask, method: str) -> None:
    for address in addresses(app):
        for accept in ("text/html", "*/*"):
            answer = app.test_client().open(address, method=method, headers={"Accept": accept}, buffered=True)
            assert answer.status_code < 500 and is_safe(answer.headers)
            assert is_never_stored(answer.headers) or address.startswith("/static/")


def test_captions_and_every_problem_have_them_and_are_never_stored(
    app: Flask, captioner: CaptionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [send(app, url, accept=accept) for url in ("/", "/predict") for accept in ("*/*", PAGE)]
    answers += [send(app, content=content) for content in (b"", b"text", PHOTO[:60])]
    form = "multipart/form-data; boundary=edge"
    answers.append(app.test_client().post("/predict", data=bytes(2**20 + 1), content_type=form))
    limited = create_app(Settings(rate_limit="1/hour"), captioner)
    answers += [send(limited), send(limited), send(limited, "/", accept=PAGE)]
    app.extensions["captions"].draining = True
    answers.append(app.test_client().get("/health"))
    monkeypatch.setattr(captioner, "_generator", None)
    answers += [send(app, url, encode(corners(9, 9), "PNG")) for url in ("/", "/predict")]
    assert [answer.status_code for answer in answers] == [200] * 4 + [400, 415, 422, 413, 200, 429, 429, 503, 500, 500]
    assert all(is_safe(answer.headers) and is_never_stored(answer.headers) for answer in answers)


def test_what_is_no_http_is_answered_with_them_too(tmp_path: Path) -> None:
    save_bundle(tmp_path / "artifact", untrained())
    with running(GUNICORN, tmp_path / "artifact", tmp_path / "log") as server:
        for request in (b"nonsense\r\n\r\n", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            line, _, rest = server.say(request).partition(b"\r\n")
            headers = Headers(list(parse_headers(io.BytesIO(rest)).items()))
            assert line.startswith(b"HTTP/1.1") and is_safe(headers) and is_never_stored(headers)
