"""Laws of the rate limit: a client that sends too much is told when to come back, and nobody else notices."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from limits import parse_many
from werkzeug.test import TestResponse

from app import create_app
from model.bundle import save_bundle
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from tests.redis_server import redis_server
from tests.servers import FORM, GUNICORN, Server, form_of, free_port, running
from web import stores
from web.problems import Problem
from web.rates import RateLimit, network_of
from web.settings import Settings

PHOTO = encode(corners(), "PNG")


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained())


def client_of(captioner: CaptionGenerator, rate_limit: str = "2/hour", trusted_proxies: int = 0) -> FlaskClient:
    settings = Settings(rate_limit=rate_limit, trusted_proxies=trusted_proxies)
    return create_app(settings, captioner).test_client()


def send(
    client: FlaskClient, content: bytes = PHOTO, url: str = "/predict", forwarded_for: str | None = None
) -> TestResponse:
    headers = {"X-Forwarded-For": forwarded_for} if forwarded_for else {}
    return client.post(url, data={"image": (io.BytesIO(content), "a.png")}, headers=headers)


def test_one_photo_too_many_is_answered_with_when_to_come_back(captioner: CaptionGenerator) -> None:
    client = client_of(captioner)
    assert [send(client).status_code for _ in range(3)] == [200, 200, 429]
    refused = send(client)
    problem = refused.get_json()
    assert refused.mimetype == "application/problem+json" and problem["code"] == "too_many_requests"
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert "2 photos in 3600 seconds" in problem["detail"]


def test_a_page_gets_the_same_as_a_page(captioner: CaptionGenerator) -> None:
    client = client_of(captioner, "1/hour")
    assert [send(client, url="/").status_code for _ in range(2)] == [200, 429]
    assert "come back in" in send(client, url="/").text


def test_only_photos_count_and_those_that_fail_do_too(captioner: CaptionGenerator) -> None:
    client = client_of(captioner)
    for _ in range(5):
        for path in ("/", "/health", "/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200
    assert [send(client, b"text").status_code for _ in range(3)] == [415, 415, 429]
    assert client.get("/health").status_code == 200


def test_without_a_limit_there_is_none(captioner: CaptionGenerator) -> None:
    client = client_of(captioner, "")
    assert {send(client).status_code for _ in range(20)} == {200}


def test_each_of_several_limits_holds(captioner: CaptionGenerator) -> None:
    client = client_of(captioner, "100/minute; 1/hour")
    assert [send(client).status_code for _ in range(2)] == [200, 429]


def test_when_its_time_is_over_a_client_is_welcome_again(captioner: CaptionGenerator) -> None:
    client = client_of(captioner, "1/second")
    answers = [send(client), send(client)]
    while answers[-1].status_code == 200:  # on a busy machine they may lie a second apart
        answers.append(send(client))
    time.sleep(int(answers[-1].headers["Retry-After"]))
    assert send(client).status_code == 200


def test_what_a_client_says_of_its_address_is_not_believed(captioner: CaptionGenerator) -> None:
    client = client_of(captioner)
    claims = [f"192.0.2.{number}" for number in range(3)]
    assert [send(client, forwarded_for=claim).status_code for claim in claims] == [200, 200, 429]


def test_of_what_trusted_proxies_say_only_their_own_words_are_believed(captioner: CaptionGenerator) -> None:
    client = client_of(captioner, trusted_proxies=1)
    claims = [f"192.0.2.{number}, 203.0.113.7" for number in range(3)]
    assert [send(client, forwarded_for=claim).status_code for claim in claims] == [200, 200, 429]
    assert send(client, forwarded_for="203.0.113.7, 203.0.113.8").status_code == 200


def test_only_a_trusted_proxy_says_that_the_client_came_over_https(captioner: CaptionGenerator) -> None:
    for trusted, scheme in ((0, "http"), (1, "https")):
        client = client_of(captioner, trusted_proxies=trusted)
        assert f"{scheme}://localhost/predict" in client.get("/", headers={"X-Forwarded-Proto": "https"}).text


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("somewhere", "somewhere"),
        (None, "unknown"),
    ],
)
def test_addresses_of_one_household_are_one_client(address: str | None, network: str) -> None:
    assert network_of(address) == network


# ---------------------------------------------------------------- several servers, one Redis


def lets_in(limit: RateLimit, address: str = "192.0.2.1") -> bool:
    try:
        limit.count(address)
    except Problem:
        return False
    return True


def test_servers_with_one_redis_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 5.0)
    with redis_server() as url:
        one, other = (RateLimit(parse_many("3/hour"), url) for _ in range(2))
        assert [lets_in(limit) for limit in (one, other, one, other, one)] == [True, True, True, False, False]
        assert lets_in(other, "192.0.2.2")


def test_while_the_redis_is_gone_each_counts_for_itself() -> None:
    limit = RateLimit(parse_many("2/hour"), f"redis://127.0.0.1:{free_port()}/0")
    assert [lets_in(limit) for _ in range(3)] == [True, True, False]


# ---------------------------------------------------------------- over a socket


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    save_bundle(tmp_path / "artifact", untrained())
    with (
        redis_server() as url,
        running(
            GUNICORN, tmp_path / "artifact", tmp_path / "log", WORKERS="2", RATE_LIMIT="3/hour", REDIS_URL=url
        ) as server,
    ):
        yield server


def predict(server: Server, source: str) -> tuple[int, str | None]:
    """The status and `Retry-After`, asked from an address of this machine."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60, source_address=(source, 0))) as connection:
        connection.request("POST", "/predict", form_of(PHOTO), {"Content-Type": FORM, "X-Forwarded-For": "192.0.2.9"})
        answer = connection.getresponse()
        code = json.loads(answer.read()).get("code")
        assert (code == "too_many_requests") == (answer.status == 429)
        return answer.status, answer.headers["Retry-After"]


def test_two_workers_refuse_one_client_and_serve_the_other(server: Server) -> None:
    statuses = [predict(server, "127.0.0.1")[0] for _ in range(30)]
    # Where a busy machine keeps Redis waiting, a worker counts for itself for a while: at most three more by each.
    assert 3 <= statuses.count(200) <= 9 and set(statuses) == {200, 429}
    status, later = predict(server, "127.0.0.1")
    assert status == 429 and 0 < int(later or 0) <= 3600
    assert predict(server, "127.0.0.2")[0] == 200
    assert server.is_healthy() and server.ask("GET", "/metrics")[0] == 200
    assert "Traceback" not in server.log.read_text()
