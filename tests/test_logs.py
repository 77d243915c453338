"""Laws of the log: a line of JSON for each request, and nothing in it, or in an answer, that a client wrote."""

import gzip
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage

from app import create_app
from model.bundle import save_bundle
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from tests.servers import GUNICORN, Server, running
from web.settings import Settings

SECRET = "Vilnius-1990"
GPS, ARTIST, DESCRIPTION = 0x8825, 0x013B, 0x010E
OF_THIS_MACHINE = re.compile(r"Traceback|site-packages|/[a-z]+/[a-z_]+/[\w./]*\.py|PIL|Pillow|numpy")


def telling_photo() -> bytes:
    """A photo that says where it was taken, by whom, and of what."""
    exif = Image.Exif()
    exif[ARTIST] = exif[DESCRIPTION] = SECRET
    exif[GPS] = {1: "N", 2: (54.0, 41.0, 13.0), 29: SECRET}
    return encode(corners(), "JPEG", exif=exif, comment=SECRET.encode())


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained())


@pytest.fixture
def client(captioner: CaptionGenerator) -> FlaskClient:
    return create_app(Settings(max_upload_mb=1, cache_mb=0), captioner).test_client()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_each_request_is_one_line_with_its_id(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    answers = [client.get("/health"), client.post("/predict"), client.get("/nowhere"), client.open("/", method="BREW")]
    said = lines(capsys.readouterr().err)
    assert [line["id"] for line in said] == [answer.headers["X-Request-ID"] for answer in answers]
    assert [line["status"] for line in said] == [200, 400, 404, 405]
    assert [line["outcome"] for line in said] == ["ok", "no_file", "not_found", "method_not_allowed"]
    assert [line["route"] for line in said] == ["/health", "/predict", None, None]
    assert [line["method"] for line in said] == ["GET", "POST", "GET", "other"]
    assert all(line["event"] == "request" and line["level"] == "info" and line["time"] for line in said)


def test_a_captions_line_tells_the_time_of_each_part(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.post("/predict", data={"image": (io.BytesIO(telling_photo()), "photo.jpg")})
    (line,) = lines(capsys.readouterr().err)
    assert line["seconds"].keys() == {"decode", "encode", "search", "total", "request"}
    assert line["seconds"]["request"] >= line["seconds"]["total"] > 0


@pytest.mark.parametrize("url", ["/predict", "/"])
@pytest.mark.parametrize(
    "content",
    [telling_photo(), telling_photo()[:400], SECRET.encode(), f"<svg>{SECRET}</svg>".encode(), b""],
    ids=["photo", "half a photo", "text", "svg", "nothing"],
)
def test_what_a_client_wrote_is_neither_answered_nor_logged(
    client: FlaskClient, capsys: pytest.CaptureFixture[str], content: bytes, url: str
) -> None:
    photo = FileStorage(io.BytesIO(content), f"../../{SECRET}.jpg", content_type=f"image/{SECRET}")
    answer = client.post(
        f"{url}?token={SECRET}",
        data={"image": photo, "note": SECRET, "return_image": "true"},
        headers={"User-Agent": SECRET, "Cookie": SECRET, "X-Request-ID": f"{SECRET} !", "Referer": f"/{SECRET}"},
    )
    heard = "".join(capsys.readouterr()) + answer.text + str(answer.headers)
    assert SECRET not in heard and "54.0" not in heard
    assert not OF_THIS_MACHINE.search(heard)


@pytest.mark.parametrize(
    "data",
    [
        {"num_captions": SECRET},
        {"beam_width": SECRET},
        {"return_image": SECRET},
        {"return_attention": SECRET},
        {SECRET: "1"},
    ],
    ids=str,
)
def test_a_wrong_option_is_not_repeated(
    client: FlaskClient, capsys: pytest.CaptureFixture[str], data: dict[str, str]
) -> None:
    answer = client.post("/predict", data={"image": (io.BytesIO(telling_photo()), "photo.jpg"), **data})
    assert SECRET not in "".join(capsys.readouterr()) + answer.text


def test_a_bug_is_told_in_one_line_without_the_folders_of_this_machine(
    captioner: CaptionGenerator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_app(Settings(cache_mb=0), captioner).test_client()
    monkeypatch.setattr(captioner, "_generator", None)
    answer = client.post("/predict", data={"image": (io.BytesIO(telling_photo()), "photo.jpg")})
    assert answer.status_code == 500
    log = capsys.readouterr().err
    bug, request = lines(log)
    assert bug["level"] == "error" and bug["id"] == request["id"] == answer.headers["X-Request-ID"]
    assert bug["error"][0]["type"] == "AttributeError" and "NoneType" in bug["error"][0]["message"]
    assert any(place.startswith("captioner.py:") for place in bug["error"][0]["at"])
    assert "Traceback" not in log and not re.search(r'"/|site-packages', json.dumps(bug["error"]))


# ---------------------------------------------------------------- over a socket


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("logs")
    save_bundle(folder / "artifact", untrained())
    with running(GUNICORN, folder / "artifact", folder / "log", MAX_UPLOAD_MB="1") as server:
        yield server


def test_the_servers_own_log_leaks_nothing_either(server: Server) -> None:
    before = len(lines(server.log.read_text()))
    asked = [
        server.caption(telling_photo())[0],
        server.caption(telling_photo()[:300])[0],
        server.ask("POST", f"/predict?{SECRET}", gzip.compress(b""), SECRET)[0],
        server.ask("GET", f"/{SECRET}/../../etc/passwd")[0],
    ]
    garbage = f"GET /{SECRET} HTTP/1.1\r\n{SECRET} : x\r\n\r\n", f"POST / HTTP/1.1\r\nContent-Length: {SECRET}\r\n\r\n"
    heard = [server.say(request.encode()).decode() for request in garbage]
    log = server.log.read_text()
    assert asked == [200, 422, 415, 404]
    assert [line["status"] for line in lines(log)[before:]] == [*asked, 400, 400]
    assert SECRET not in log and not OF_THIS_MACHINE.search(log + "".join(heard))
    assert all(answer.startswith("HTTP/1.1 400") and '"code": "bad_request"' in answer for answer in heard)
