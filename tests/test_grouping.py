"""Laws of captioning together what waits together: everyone gets their own, nobody waits for others to come."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest

from web.admission import Deadline
from web.batches import LARGEST, Batches
from web.problems import Problem
from web.uploads import Options

PLAIN, WIDE = Options(1, 1, False, False), Options(1, 5, False, False)


class Station:
    """Tells each photo its own number; the first batch waits until `go`, so that others can come meanwhile."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started, self.go = Event(), Event()
        self.failures = 0  # of batches of several that are still to come
        self.service = Batches(self.generate)
        self.pool = ThreadPoolExecutor(3 * LARGEST)

    def generate(self, photos: Sequence[np.ndarray], options: Options, check: Callable[[], None]) -> Any:
        numbers = [int(photo[0]) for photo in photos]
        self.batches.append(numbers)
        self.started.set()
        while not self.go.wait(0.005):
            check()
        if len(numbers) > 1 and self.failures:
            self.failures -= 1
            raise ArithmeticError
        return numbers

    def send(self, number: int, options: Options = PLAIN, seconds: float = 30) -> "Future[Any]":
        deadline = Deadline(time.perf_counter(), seconds)
        future = self.pool.submit(self.service.caption, np.array([number]), options, deadline)
        assert self.started.wait(10)
        while len(self.service._waiting) < number and not future.done():
            time.sleep(0.001)
        return future


@pytest.fixture
def station() -> Iterator[Station]:
    station = Station()
    yield station
    station.go.set()
    station.pool.shutdown()


def test_a_photo_alone_does_not_wait(station: Station) -> None:
    station.go.set()
    assert station.send(1).result(10) == 1
    assert station.batches == [[1]]


def test_those_that_wait_are_captioned_together_and_get_their_own(station: Station) -> None:
    sent = [station.send(number) for number in range(1, 2 * LARGEST + 1)]
    station.go.set()
    assert [future.result(10) for future in sent] == list(range(1, 2 * LARGEST + 1))
    assert [len(batch) for batch in station.batches] == [1, LARGEST, LARGEST - 1]


def test_only_what_is_asked_for_alike_goes_together(station: Station) -> None:
    sent = [station.send(number, WIDE if number % 2 else PLAIN) for number in range(1, 7)]
    station.go.set()
    assert [future.result(10) for future in sent] == list(range(1, 7))
    assert sorted(map(sorted, station.batches)) == [[1], [2, 4, 6], [3, 5]]


def test_a_batch_that_fails_takes_one_request_with_it(station: Station) -> None:
    station.failures = 1
    sent = [station.send(number) for number in range(1, 6)]
    station.go.set()
    errors = [future.exception(10) for future in sent]
    assert [type(error) for error in errors if error] == [ArithmeticError]
    answered = [number for number, error in enumerate(errors, start=1) if not error]
    assert [sent[number - 1].result() for number in answered] == answered


def test_whoever_gives_up_is_not_captioned(station: Station) -> None:
    first, second = station.send(1), station.send(2, seconds=0.05)
    with pytest.raises(Problem, match="longer"):
        second.result(10)
    station.go.set()
    assert first.result(10) == 1
    assert station.send(3).result(10) == 3
    assert station.batches == [[1], [3]]


def test_work_stops_once_nobody_waits_for_it_any_more(station: Station) -> None:
    with pytest.raises(Problem, match="longer"):
        station.send(1, seconds=0.05).result(10)
    assert not station.service.lock.locked()


def test_work_goes_on_while_one_of_a_batch_still_waits() -> None:
    seen = []

    def generate(photos: Sequence[np.ndarray], options: Options, check: Callable[[], None]) -> Any:
        seen.append(len(photos))
        if len(photos) == 1:
            time.sleep(0.1)
        else:
            time.sleep(0.3)
            check()
        return [int(photo[0]) for photo in photos]

    service, now = Batches(generate), time.perf_counter()
    with ThreadPoolExecutor(3) as pool:
        futures: list[Future[Any]] = []
        for number, seconds in enumerate((30, 0.2, 30), start=1):
            futures.append(pool.submit(service.caption, np.array([number]), PLAIN, Deadline(now, seconds)))
            time.sleep(0.02)
        assert futures[0].result() == 1
        assert futures[2].result() == 3
    assert seen[:2] == [1, 2]
