"""Laws of the probes and of stopping: live while it runs, ready while it can caption, no request lost on the way."""

import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from web.captioning import CaptionService
from web.settings import Settings

PHOTO = encode(corners(), "PNG")


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained())


@pytest.fixture
def client(captioner: CaptionGenerator) -> FlaskClient:
    return create_app(Settings(cache_mb=0), captioner).test_client()


def service_of(client: FlaskClient) -> CaptionService:
    return client.application.extensions["captions"]


def statuses(client: FlaskClient) -> list[int]:
    return [client.get(path).status_code for path in ("/health/live", "/health/ready", "/health")]


def predict(client: FlaskClient) -> int:
    return client.post("/predict", data={"image": (io.BytesIO(PHOTO), "a.png")}).status_code


def test_probes_answer_in_a_word(client: FlaskClient) -> None:
    assert client.get("/health/live").json == {"status": "alive"}
    assert client.get("/health/ready").json == {"status": "ready"}


def test_a_broken_captioner_is_live_and_not_ready(
    client: FlaskClient, captioner: CaptionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(captioner, "_generator", None)
        assert predict(client) == 500
        assert statuses(client) == [200, 503, 503]
    assert statuses(client) == [200, 200, 200]


def test_a_draining_server_is_live_not_ready_and_answers_what_it_has(client: FlaskClient) -> None:
    service_of(client).draining = True
    assert statuses(client) == [200, 503, 503]
    answer: Any = client.get("/health/ready", headers={"Accept": "text/html"}).json
    assert answer["code"] == "unavailable" and "about to stop" in answer["detail"]
    assert predict(client) == 200
