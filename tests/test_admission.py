"""Laws of a full or slow server: a deadline ends the work, a full house says so at once.

Over a socket: `reliability/test_load.py`.
"""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from web.admission import Door
from web.problems import Problem
from web.settings import Settings

PHOTO = encode(corners(), "PNG")


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained())


class Held:
    """A captioner that someone else keeps busy until `go`; then it is the real one."""

    def __init__(self, captioner: CaptionGenerator) -> None:
        self.captioner, self.entered, self.go = captioner, Event(), Event()
        self.beam_width, self.device, self.info = captioner.beam_width, captioner.device, captioner.info
        self.read, self.warm_up = captioner.read, captioner.warm_up

    def generate(self, *arguments: Any) -> Any:
        self.entered.set()
        assert self.go.wait(timeout=60)
        return self.captioner.generate(*arguments)


def predict(client: FlaskClient) -> TestResponse:
    return client.post("/predict", data={"image": (io.BytesIO(PHOTO), "a.png")})


def test_what_a_check_raises_ends_the_search_at_that_word(captioner: CaptionGenerator) -> None:
    class Enough(Exception):
        pass

    def after(count: int) -> int:
        calls = 0

        def check() -> None:
            nonlocal calls
            calls += 1
            if calls == count:
                raise Enough

        if count:
            with pytest.raises(Enough):
                captioner.generate([corners()], check=check)
        else:
            captioner.generate([corners()], check=check)
        return calls

    assert after(0) > 4
    assert [after(count) for count in (1, 2, 4)] == [1, 2, 4]


def test_a_search_over_its_deadline_is_ended(captioner: CaptionGenerator) -> None:
    held = Held(captioner)
    client = create_app(Settings(deadline_seconds=1, cache_mb=0), held).test_client()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(predict, client)
        held.entered.wait(timeout=60)
        time.sleep(1)
        held.go.set()
        problem: Any = answer.result().json
    assert (problem["status"], problem["code"]) == (504, "deadline")
    assert client.get("/health/ready").status_code == 200 and predict(client).status_code == 200


def test_who_waits_over_the_deadline_gives_up_and_the_one_before_is_served(captioner: CaptionGenerator) -> None:
    held = Held(captioner)
    patient, hasty = create_app(Settings(cache_mb=0), held), create_app(Settings(deadline_seconds=1, cache_mb=0), held)
    hasty.extensions["captions"] = patient.extensions["captions"]
    with ThreadPoolExecutor() as pool:
        first = pool.submit(predict, patient.test_client())
        held.entered.wait(timeout=60)
        assert predict(hasty.test_client()).status_code == 504
        held.go.set()
        assert first.result().status_code == 200


def test_a_full_house_says_so_at_once_and_health_still_answers(captioner: CaptionGenerator) -> None:
    held = Held(captioner)
    client = create_app(Settings(max_waiting=0, cache_mb=0), held).test_client()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(predict, client.application.test_client())
        held.entered.wait(timeout=60)
        refused = predict(client)
        problem: Any = refused.json
        assert (refused.status_code, problem["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert [client.get(f"/health{which}").status_code for which in ("", "/live", "/ready")] == [200] * 3
        held.go.set()
        assert first.result().status_code == 200
    assert predict(client).status_code == 200


def test_a_door_counts_who_leaves_by_whatever_way() -> None:
    door = Door(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), door:
            _ = 1 / 0
    with door, pytest.raises(Problem), door:
        pass
    with door:
        pass
