"""Laws of answers that come from the cache: only the same picture, asked for alike, skips the network."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from app import create_app
from model.captioner import CaptionGenerator
from web import stores
from web.settings import Settings

from .bundles import untrained
from .pictures import corners, encode, noise
from .redis_server import redis_server
from .servers import free_port


class Counted:
    """The real captioner, and how many photos its network has seen."""

    def __init__(self, captioner: CaptionGenerator) -> None:
        self.beam_width, self.device, self.info = captioner.beam_width, captioner.device, captioner.info
        self.read, self.warm_up = captioner.read, captioner.warm_up
        self._captioner, self.seen = captioner, 0

    def generate(self, photos: Any, *arguments: Any) -> Any:
        self.seen += len(photos)
        return self._captioner.generate(photos, *arguments)


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained())


@pytest.fixture
def counted(captioner: CaptionGenerator) -> Counted:
    return Counted(captioner)


Ask = Callable[..., dict[str, Any]]


def asking(client: FlaskClient) -> Ask:
    def ask(photo: bytes, **options: Any) -> dict[str, Any]:
        answer = client.post("/predict", data={"image": (io.BytesIO(photo), "a"), **options})
        assert answer.status_code == 200
        return dict(answer.get_json())

    return ask


@pytest.fixture
def ask(counted: Counted) -> Ask:
    return asking(create_app(Settings(), counted).test_client())


def without(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("cached", "seconds")}


def test_the_same_upload_again_is_answered_without_the_network(ask: Ask, counted: Counted) -> None:
    photo = encode(corners(), "PNG")
    first, again = ask(photo, return_attention=True), ask(photo, return_attention=True)
    assert (first["cached"], again["cached"], counted.seen) == (False, True, 1)
    assert without(first) == without(again)
    assert set(again["seconds"]) == {"total"}


@pytest.mark.parametrize("form", ["BMP", "PNG", "GIF", "WEBP"])
def test_the_same_picture_in_another_lossless_file_is_found(ask: Ask, counted: Counted, form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    first, other = ask(encode(corners(), "PNG")), ask(encode(corners(), form, **options) + b"\0")
    assert (first["cached"], other["cached"], counted.seen) == (False, True, 1)
    assert without(first) == without(other)


def test_turned_by_its_exif_it_is_the_same_picture(ask: Ask) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    ask(encode(corners(), "PNG"))
    assert ask(encode(corners().rotate(180), "PNG", exif=exif))["cached"]


def test_another_picture_or_another_question_is_not_answered_from_the_cache(ask: Ask, counted: Counted) -> None:
    photo = encode(noise(32, 32), "PNG")
    pixels = np.asarray(noise(32, 32)).copy()
    pixels[0, 0, 0] ^= 1
    questions: list[tuple[bytes, dict[str, Any]]] = [
        (photo, {}),
        (photo, {"num_captions": 1}),
        (photo, {"beam_width": 2, "num_captions": 1}),
        (photo, {"return_attention": True}),
        (encode(Image.fromarray(pixels), "PNG"), {}),
    ]
    assert [ask(content, **options)["cached"] for content, options in questions] == [False] * 5
    assert counted.seen == 5
    assert [ask(content, **options)["cached"] for content, options in questions] == [True] * 5


def test_the_picture_itself_still_comes_back(ask: Ask) -> None:
    photo = encode(corners(), "PNG")
    image = ask(photo, return_image=True)["image"]
    again = ask(photo, return_image=True)
    assert again["cached"] and again["image"] == image


def test_errors_are_not_kept(counted: Counted) -> None:
    client = create_app(Settings(), counted).test_client()
    for _ in range(2):
        answer = client.post("/predict", data={"image": (io.BytesIO(b"text"), "a.jpg")})
        assert answer.status_code == 415


def test_two_servers_share_a_redis(captioner: CaptionGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 5.0)
    photo = encode(corners(), "PNG")
    with redis_server() as url:
        one, other = (create_app(Settings(redis_url=url), Counted(captioner)).test_client() for _ in range(2))
        first, second = asking(one)(photo), asking(other)(photo)
    assert (first["cached"], second["cached"]) == (False, True)
    assert without(first) == without(second)
    assert not asking(other)(encode(noise(), "PNG"))["cached"]  # the Redis is gone by now


def test_a_redis_that_was_never_there_costs_no_caption(counted: Counted) -> None:
    ask = asking(create_app(Settings(redis_url=f"redis://127.0.0.1:{free_port()}"), counted).test_client())
    photo = encode(corners(), "PNG")
    assert without(ask(photo)) == without(ask(photo))
    assert counted.seen == 2
