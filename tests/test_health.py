"""Laws of the probes and of stopping: live while it runs, ready while it can caption, no request lost on the way."""

import io
import json
import signal
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from model.bundle import save_bundle
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from tests.servers import FORM, GUNICORN, Server, form_of, running
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


# ---------------------------------------------------------------- over a socket


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("health") / "artifact"
    save_bundle(folder, untrained())
    return folder


@pytest.fixture
def server(artifact: Path, tmp_path: Path) -> Iterator[Server]:
    with running(GUNICORN, artifact, tmp_path / "log") as server:
        yield server


def begin(connection: HTTPConnection, body: bytes) -> None:
    """All of a request but its last ten bytes."""
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", FORM)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:-10])


def readiness(connection: HTTPConnection) -> int:
    """The status; 0 where nobody answers."""
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return 0
    return answer.status


def new_connection(server: Server) -> int:
    with closing(server.connect()) as connection:
        return readiness(connection)


def test_on_sigterm_requests_in_flight_are_answered_and_nobody_else_is_let_in(server: Server) -> None:
    body = form_of(PHOTO)
    with closing(server.connect()) as slow, closing(server.connect()) as idle:
        assert readiness(idle) == 200
        begin(slow, body)
        server.process.send_signal(signal.SIGTERM)
        while new_connection(server) == 200:
            pass  # the signal is on its way
        assert readiness(idle) in (0, 503) and new_connection(server) in (0, 503)
        slow.send(body[-10:])
        answer = slow.getresponse()
        assert answer.status == 200 and json.loads(answer.read())["caption"]
    assert server.process.wait(timeout=15) == 0
    assert "Traceback" not in server.log.read_text()
