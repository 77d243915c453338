"""Who is let in, and for how long: a request over its deadline is ended, and no queue is without end."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore
from time import perf_counter
from types import TracebackType

from web.problems import Problem


class Deadline:
    """The end of a request, `seconds` after `started`, a time of `perf_counter`."""

    def __init__(self, started: float, seconds: float) -> None:
        self._end, self._seconds = started + seconds, seconds

    @property
    def seconds_left(self) -> float:
        """Never less than 0."""
        return max(0.0, self._end - perf_counter())

    def check(self) -> None:
        """Raises Problem `deadline` once no time is left."""
        if not self.seconds_left:
            raise self.passed()

    def passed(self) -> Problem:
        """What to answer then."""
        detail = f"A request may take {self._seconds:g} seconds, and this one took longer: try again later."
        return Problem("deadline", detail)


class Door:
    """Lets `room` requests in at once; `with door:` raises Problem `busy` instead of waiting."""

    def __init__(self, room: int) -> None:
        self._room, self._inside = room, 0
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside >= self._room:
                raise Problem("busy", "Too many photos are waiting already: try again soon.", {"Retry-After": "1"})
            self._inside += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._inside -= 1


@contextmanager
def turn(gate: "Lock | Semaphore", deadline: Deadline) -> Iterator[None]:
    """Raises Problem `deadline` where the turn does not come in time."""
    if not gate.acquire(timeout=deadline.seconds_left):
        raise deadline.passed()
    try:
        yield
    finally:
        gate.release()
