"""The service over HTTP, in process; its captioner really decodes photos, and names their corner's colour."""

import io
import os
import re
import socket
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse

from app import create_app
from model.captioner import Caption, Result
from model.errors import ArtifactError, SettingsError
from model.image import load_pixels
from tests.pictures import CORNERS, corners, encode, png_header
from web.settings import Settings
from web.startup import configure_tensorflow, require_free_port

NAMES = dict(zip(("red", "green", "blue", "yellow"), CORNERS, strict=True))
ORIENTATION, GPS = 0x0112, 0x8825
RED = "the corner is red"


class ColourCaptioner:
    """Says which colour the upper left quarter of a photo has; the other candidates are less like it."""

    beam_width = 4
    device = "cpu"
    info = MappingProxyType({"name": "colours", "version": "1"})
    broken = False

    def read(self, photo: bytes) -> np.ndarray:
        return load_pixels(photo, (32, 32))

    def generate(
        self,
        photos: Sequence[np.ndarray],
        num_captions: int,
        beam_width: int,
        attention: bool,
        check: Callable[[], None],
        /,
    ) -> list[Result]:
        if self.broken:
            raise RuntimeError("CUDA driver at /usr/lib is out of memory")
        return [self._describe(photo, num_captions) for photo in photos]

    def warm_up(self) -> None:
        self.generate([self.read(encode(corners(), "PNG"))], 1, 1, False, lambda: None)

    def _describe(self, photo: np.ndarray, num_captions: int) -> Result:
        mean = photo[2:14, 2:14].mean(axis=(0, 1))
        distance = {name: float(np.abs(mean - colour).sum()) for name, colour in NAMES.items()}
        nearest = sorted(distance, key=distance.__getitem__)[:num_captions]
        captions = tuple(Caption(f"the corner is {name}", -distance[name]) for name in nearest)
        return Result(captions, {"decode": 0.0, "encode": 0.0, "search": 0.0})


@pytest.fixture
def captioner() -> ColourCaptioner:
    return ColourCaptioner()


@pytest.fixture
def client(captioner: ColourCaptioner) -> FlaskClient:
    return create_app(Settings(max_upload_mb=1, cache_mb=0), captioner).test_client()


def send(
    client: FlaskClient, content: bytes, name: str = "photo.jpg", url: str = "/predict", **fields: Any
) -> TestResponse:
    return client.post(url, data={"image": (io.BytesIO(content), name), **fields})


def send_raw(client: FlaskClient, content: bytes) -> TestResponse:
    """The same, for large uploads: werkzeug's test client would go through a file of its own."""
    head = b'--edge\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    form = head + content + b"\r\n--edge--\r\n"
    return client.post("/predict", data=form, content_type="multipart/form-data; boundary=edge")


def said(answer: TestResponse) -> dict[str, Any]:
    assert isinstance(answer.json, dict)
    return answer.json


def expect_problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Every error has one shape."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    problem = said(answer)
    assert problem.keys() == {"type", "title", "status", "detail", "instance", "code", "error"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["error"] == problem["detail"]
    assert problem["instance"] == answer.headers["X-Request-ID"]
    return problem


# ---------------------------------------------------------------- a photo in, a caption out


def test_predict_answers_the_caption_candidates_model_and_times(client: FlaskClient) -> None:
    answer = send(client, encode(corners(), "JPEG"))
    assert answer.status_code == 200
    assert list(said(answer)) == ["caption", "confidence", "captions", "cached", "model", "seconds"]
    assert said(answer)["caption"] == said(answer)["captions"][0]["caption"] == RED
    likeliest_first = [candidate["log_probability"] for candidate in said(answer)["captions"]]
    assert len(likeliest_first) == 3 and likeliest_first == sorted(likeliest_first, reverse=True)
    assert said(answer)["model"] == ColourCaptioner.info
    assert said(answer)["seconds"].keys() == {"decode", "encode", "search", "total"}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_content_decides_whatever_the_name_and_the_declared_type_say(client: FlaskClient, form: str) -> None:
    photo = FileStorage(io.BytesIO(encode(corners(), form)), "notes.txt", content_type="text/plain")
    assert said(client.post("/predict", data={"image": photo}))["caption"] == RED


def test_field_file_is_accepted_too(client: FlaskClient) -> None:
    answer = client.post("/predict", data={"file": (io.BytesIO(encode(corners(), "PNG")), "photo.png")})
    assert said(answer)["caption"] == RED


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photo_gets_the_caption_and_the_preview_of_the_upright_one(
    client: FlaskClient, orientation: int
) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corners() if orientation == 1 else corners().transpose(undo[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    answer = said(send(client, encode(stored, "PNG", exif=exif), return_image="true"))
    assert answer["caption"] == RED
    assert returned_image(answer).size == corners().size
    assert np.abs(np.asarray(returned_image(answer)).astype(int)[4, 4] - CORNERS[0]).max() < 25


def test_returned_image_is_small_and_carries_nothing_but_pixels(client: FlaskClient) -> None:
    exif = Image.Exif()
    exif[GPS] = {1: "N", 2: (52.0, 31.0, 12.0)}
    photo = encode(corners(1600, 800), "JPEG", exif=exif, comment=b"my address", icc_profile=b"profile of mine")
    image = returned_image(said(send(client, photo, return_image="1")))
    assert (image.format, image.size) == ("JPEG", (1024, 512))
    assert not image.info.keys() & {"exif", "comment", "icc_profile", "xmp"} and not image.getexif()


def returned_image(answer: dict[str, Any]) -> Image.Image:
    head, data = answer["image"].split(",", 1)
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(b64decode(data)))


def test_image_comes_back_only_on_request(client: FlaskClient) -> None:
    assert "image" not in said(send(client, encode(corners(), "PNG"), return_image="false"))


@pytest.mark.parametrize("where", ["form", "query"])
def test_options_are_read_from_form_and_query(client: FlaskClient, where: str) -> None:
    photo = encode(corners(), "PNG")
    fields = {"num_captions": "2"} if where == "form" else {}
    url = "/predict" if where == "form" else "/predict?num_captions=2"
    assert len(said(send(client, photo, url=url, **fields))["captions"]) == 2


def test_narrow_beam_gives_as_many_captions_as_it_is_wide(client: FlaskClient) -> None:
    assert len(said(send(client, encode(corners(), "PNG"), beam_width="2"))["captions"]) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"num_captions": "0"},
        {"num_captions": "5"},  # the beam is 4 wide
        {"num_captions": "two"},
        {"num_captions": "1_0"},
        {"num_captions": "٣"},
        {"num_captions": "9" * 50},
        {"beam_width": "0"},
        {"beam_width": "1000"},
        {"beam_width": "2", "num_captions": "3"},
        {"beam_width": ["2", "3"]},
        {"return_image": "perhaps"},
        {"return_attention": "yes please"},
    ],
    ids=str,
)
def test_impossible_option_is_named(client: FlaskClient, fields: dict[str, Any]) -> None:
    problem = expect_problem(send(client, encode(corners(), "PNG"), **fields), 400, "bad_option")
    assert any(name in problem["detail"] for name in fields)


# ---------------------------------------------------------------- what is no photo


def test_request_without_body_has_no_file(client: FlaskClient) -> None:
    expect_problem(client.post("/predict"), 400, "no_file")


@pytest.mark.parametrize(
    "data",
    [
        {"photo": (io.BytesIO(b"x"), "photo.jpg")},
        {"image": (io.BytesIO(b""), "")},
        {"image": "photo.jpg"},
    ],
    ids=["wrong field", "empty name", "text"],
)
@pytest.mark.parametrize("kind", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_form_without_a_file_in_its_field_has_no_file(client: FlaskClient, data: dict[str, Any], kind: str) -> None:
    if kind == "application/x-www-form-urlencoded":
        data = dict.fromkeys(data, "text")
    expect_problem(client.post("/predict", data=data, content_type=kind), 400, "no_file")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", ""],
)
def test_body_that_is_no_form_is_unsupported(client: FlaskClient, kind: str) -> None:
    body = b'{"image": "aGVsbG8="}' if "json" in kind else encode(corners(), "JPEG")
    answer = client.post("/predict", data=body, content_type=kind)
    expect_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty_file"),
        (b"hello", 415, "not_an_image"),
        (b"<!doctype html><script>alert(1)</script>", 415, "not_an_image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "not_an_image"),
        (b"%PDF-1.7", 415, "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", 415, "not_an_image"),
        (encode(corners(), "ICO"), 415, "not_an_image"),
        (encode(corners(), "TIFF"), 415, "not_an_image"),
        (encode(corners(640, 480), "JPEG")[:900], 422, "damaged_image"),
        (encode(corners(640, 480), "PNG")[:300], 422, "damaged_image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, 422, "damaged_image"),
        (png_header(50_000, 50_000), 422, "too_many_pixels"),
    ],
    ids=[
        *("empty", "text", "html", "svg", "pdf", "eps", "ico", "tiff"),
        *("half jpeg", "half png", "bad header", "bomb"),
    ],
)
def test_upload_that_cannot_be_captioned_says_why(client: FlaskClient, content: bytes, status: int, code: str) -> None:
    problem = expect_problem(send(client, content, "photo.jpg"), status, code)
    assert not re.search(r"Traceback|PIL|\.py|site-packages|0x[0-9a-f]{6}", problem["detail"])


def test_two_photos_are_refused_whatever_their_fields(client: FlaskClient) -> None:
    def photo() -> tuple[io.BytesIO, str]:
        return io.BytesIO(encode(corners(), "PNG")), "photo.png"

    expect_problem(client.post("/predict", data={"image": [photo(), photo()]}), 400, "multiple_files")
    expect_problem(client.post("/predict", data={"image": photo(), "file": photo()}), 400, "multiple_files")


def test_body_parts_and_text_have_limits(client: FlaskClient) -> None:
    photo = encode(corners(), "PNG")
    expect_problem(send_raw(client, photo + b"\0" * 2**20), 413, "too_large")
    expect_problem(send(client, photo, **{f"field{n}": "x" for n in range(40)}), 413, "too_large")
    expect_problem(send(client, photo, note="x" * 200_000), 413, "too_large")


def test_upload_never_touches_a_disk(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = encode(corners(512, 400), "BMP")  # above the 500 kB that werkzeug would keep in memory
    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", None)
    assert said(send_raw(client, photo))["caption"] == RED


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a\0b.jpg", "<script>alert(1)</script>.jpg", "x" * 4096, "写真.jpg", "C:\\con.jpg"],
    ids=["climbing", "nul", "markup", "long", "other script", "device"],
)
@pytest.mark.parametrize("url", ["/predict", "/"])
def test_file_name_is_never_used(client: FlaskClient, caplog: pytest.LogCaptureFixture, name: str, url: str) -> None:
    with caplog.at_level("INFO"):
        answer = send(client, encode(corners(), "PNG"), name, url)
    assert answer.status_code == 200 and RED in answer.text.lower()
    assert name not in answer.text and name not in caplog.text


def test_captions_after_errors_are_as_before(client: FlaskClient) -> None:
    photo = encode(corners(), "PNG")
    before = said(send(client, photo))["captions"]
    for content in (b"", b"hello", photo[:60]):
        send(client, content)
    assert said(send(client, photo))["captions"] == before


# ---------------------------------------------------------------- errors in general


def test_unknown_path_and_wrong_method(client: FlaskClient) -> None:
    expect_problem(client.get("/wp-login.php"), 404, "not_found")
    answer = client.get("/predict")
    expect_problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_unexpected_error_tells_the_client_its_number_and_the_log_the_reason(
    client: FlaskClient, captioner: ColourCaptioner, caplog: pytest.LogCaptureFixture
) -> None:
    captioner.broken = True
    answer = send(client, encode(corners(), "PNG"))
    problem = expect_problem(answer, 500, "internal_error")
    assert "CUDA" not in answer.text and "CUDA" in caplog.text
    assert problem["instance"] in problem["detail"] and problem["instance"] in caplog.text


def test_request_id_is_the_clients_if_short_and_plain(client: FlaskClient) -> None:
    def echoed(given: str) -> str:
        return client.get("/health", headers={"X-Request-ID": given}).headers["X-Request-ID"]

    assert echoed("order-66_a.b") == "order-66_a.b"
    for evil in ("<script>", "x" * 65, "a b", "a;b", "ä"):
        assert re.fullmatch("[0-9a-f]{32}", echoed(evil))


# ---------------------------------------------------------------- the page


def test_page_has_a_labelled_form_that_works_without_javascript(client: FlaskClient) -> None:
    page = client.get("/").text
    assert '<form id="form" action="/" method="post" enctype="multipart/form-data"' in page
    assert '<label for="image">' in page and '<input id="image" type="file" name="image"' in page
    assert "not kept" in page and "up to 1&nbsp;MB" in page


def test_page_names_no_other_origin_and_holds_nothing_inline(client: FlaskClient) -> None:
    page = client.get("/").text
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', page):
        assert address.startswith("/")
        assert client.get(address, buffered=True).status_code == 200
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page)


def test_posted_page_shows_photo_caption_and_candidates(client: FlaskClient) -> None:
    page = send(client, encode(corners(), "JPEG"), url="/").text
    assert '<p id="caption" class="caption">The corner is red.</p>' in page
    assert 'src="data:image/jpeg;base64,' in page and 'width="48" height="32"' in page
    assert page.count("<li>The corner is") == 2
    assert "Written by a machine, please check" in page


def test_posted_page_shows_an_error_with_the_form_to_try_again(client: FlaskClient) -> None:
    answer = send(client, b"hello", url="/")
    assert (answer.status_code, answer.mimetype) == (415, "text/html")
    assert re.search(r'<p id="error" role="alert">A picture must be', answer.text)
    assert '<input id="image" type="file"' in answer.text


@pytest.mark.parametrize(
    ("method", "path", "accept", "mimetype"),
    [
        ("GET", "/nowhere", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("GET", "/nowhere", "*/*", "application/problem+json"),
        ("GET", "/nowhere", "application/json", "application/problem+json"),
        ("GET", "/predict", "text/html", "application/problem+json"),
        ("POST", "/", "*/*", "text/html"),
        ("POST", "/", "image/png", "text/html"),
        ("POST", "/", "application/json", "application/problem+json"),
    ],
)
def test_browsers_get_errors_as_a_page_and_programs_as_json(
    client: FlaskClient, method: str, path: str, accept: str, mimetype: str
) -> None:
    answer = client.open(path, method=method, headers={"Accept": accept})
    assert answer.mimetype == mimetype and answer.status_code >= 400
    if mimetype == "text/html":
        assert 'role="alert"' in answer.text and '<a href="/">' in answer.text


def test_page_survives_a_host_header_that_is_none(client: FlaskClient) -> None:
    page = client.get("/", headers={"Host": '"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text and page.status_code < 500


# ---------------------------------------------------------------- health


def test_health_names_device_and_model(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert said(answer) == {"status": "healthy", "device": "cpu", "model": ColourCaptioner.info}


def test_health_is_503_while_nothing_can_be_captioned_and_recovers_by_itself(
    client: FlaskClient, captioner: ColourCaptioner
) -> None:
    captioner.broken = True
    send(client, encode(corners(), "PNG"))
    expect_problem(client.get("/health"), 503, "unavailable")
    captioner.broken = False
    assert client.get("/health").status_code == 200


def test_health_does_not_doubt_the_captioner_for_a_bad_photo(client: FlaskClient, captioner: ColourCaptioner) -> None:
    send(client, b"hello")
    captioner.broken = True
    assert client.get("/health").status_code == 200


# ---------------------------------------------------------------- settings and start


def test_settings_come_from_the_environment_with_defaults(tmp_path: Path) -> None:
    assert Settings.from_environment({}) == Settings()
    given = {
        "PORT": "8080",
        "HOST": "::1",
        "WORKERS": "2",
        "ARTIFACTS": str(tmp_path),
        "MAX_UPLOAD_MB": "",
        "HOME": "/",
    }
    settings = Settings.from_environment(given)
    assert (settings.address, settings.workers, settings.max_upload_mb) == ("[::1]:8080", 2, 10)
    assert settings.artifacts == tmp_path


def test_app_refuses_to_start_without_an_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        create_app(Settings(artifacts=tmp_path / "nowhere"))


def test_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port}"):
            require_free_port("127.0.0.1", port)
    require_free_port("127.0.0.1", port)


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.startup.cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    configure_tensorflow(workers=3)
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == os.environ["OMP_NUM_THREADS"] == "2"


class WatchedCaptioner(ColourCaptioner):
    """Notes how many threads are inside at once."""

    inside = most = 0

    def generate(
        self,
        photos: Sequence[np.ndarray],
        num_captions: int,
        beam_width: int,
        attention: bool,
        check: Callable[[], None],
        /,
    ) -> list[Result]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.01)
        results = super().generate(photos, num_captions, beam_width, attention, check)
        self.inside -= 1
        return results


def test_captions_are_made_one_at_a_time() -> None:
    captioner = WatchedCaptioner()
    app = create_app(Settings(cache_mb=0), captioner)
    photo = encode(corners(), "PNG")
    with ThreadPoolExecutor(8) as pool:
        captions = list(pool.map(lambda _: said(send(app.test_client(), photo))["caption"], range(16)))
    assert captions == [RED] * 16 and captioner.most == 1
