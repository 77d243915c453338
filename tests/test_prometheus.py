"""Laws of the metrics: every request is counted once, whichever process took it."""

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from model.bundle import save_bundle
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from tests.servers import GUNICORN, ROOT, running
from web.settings import Settings

PHOTO = encode(corners(), "PNG")


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained())


@pytest.fixture
def client(captioner: CaptionGenerator) -> FlaskClient:
    return create_app(Settings(cache_mb=0), captioner).test_client()


def figures(text: str) -> dict[str, float]:
    """`{name{labels}: value}` of what Prometheus would read."""
    rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def requests(text: str) -> Counter[tuple[str, str, str]]:
    """How many, by route, status and outcome."""
    pattern = r'captioner_requests_total\{outcome="(\w+)",route="([^"]*)",status="(\d+)"\}'
    found = ((re.fullmatch(pattern, name), count) for name, count in figures(text).items())
    return Counter({(match[2], match[3], match[1]): int(count) for match, count in found if match})


def test_each_request_is_counted_by_its_outcome(client: FlaskClient) -> None:
    for content in (PHOTO, PHOTO, b"text"):
        client.post("/predict", data={"image": (io.BytesIO(content), "a.png")})
    for path in ("/health/live", "/one", "/two"):
        client.get(path)
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.mimetype == "text/plain"
    assert requests(answer.text) == {
        ("/predict", "200", "ok"): 2,
        ("/predict", "415", "not_an_image"): 1,
        ("/health/live", "200", "ok"): 1,
        ("none", "404", "not_found"): 2,
    }


def test_each_part_of_a_caption_is_timed(client: FlaskClient) -> None:
    client.post("/predict", data={"image": (io.BytesIO(PHOTO), "a.png"), "return_attention": "1"})
    told = figures(client.get("/metrics").text)
    for part in ("decode", "encode", "search", "attention", "total", "request"):
        assert told[f'captioner_seconds_count{{part="{part}"}}'] == 1
        assert told[f'captioner_seconds_sum{{part="{part}"}}'] > 0


def test_captions_from_the_cache_are_counted_apart(captioner: CaptionGenerator) -> None:
    client = create_app(Settings(), captioner).test_client()
    for content in (PHOTO, PHOTO, PHOTO, b"text"):
        client.post("/predict", data={"image": (io.BytesIO(content), "a.png")})
    told = figures(client.get("/metrics").text)
    assert told['captioner_captions_total{cached="false"}'] == 1
    assert told['captioner_captions_total{cached="true"}'] == 2


def test_every_figure_is_in_the_docs_and_no_other(client: FlaskClient) -> None:
    client.post("/predict", data={"image": (io.BytesIO(PHOTO), "a.png")})
    told = set(re.findall(r"^# TYPE (captioner_\w+)", client.get("/metrics").text, re.MULTILINE))
    documented = set(re.findall(r"^\| `(captioner_\w+)`", (ROOT / "docs/operating.md").read_text(), re.MULTILINE))
    assert {name for name in told if not name.endswith("_created")} == documented


def test_nothing_stays_in_flight(
    client: FlaskClient, captioner: CaptionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captioner, "_generator", None)
    assert client.post("/predict", data={"image": (io.BytesIO(PHOTO), "a.png")}).status_code == 500
    client.get("/nowhere")
    assert figures(client.get("/metrics").text)["captioner_in_flight"] == 1  # the one that asks


def test_two_workers_add_up(tmp_path: Path) -> None:
    save_bundle(tmp_path / "artifact", untrained())
    with running(GUNICORN, tmp_path / "artifact", tmp_path / "log", WORKERS="2") as server:
        before = requests(str(server.ask("GET", "/metrics")[1]))
        assert [server.caption(PHOTO)[0] for _ in range(12)] == [200] * 12
        for _ in range(4):  # whichever of them answers
            status, text = server.ask("GET", "/metrics")
            assert status == 200
            after = requests(str(text))
            assert after["/predict", "200", "ok"] - before["/predict", "200", "ok"] == 12
            told = figures(str(text))
            assert told["captioner_in_flight"] == 1
            assert told['captioner_captions_total{cached="false"}'] == 12
            assert told['captioner_seconds_count{part="search"}'] == 12
