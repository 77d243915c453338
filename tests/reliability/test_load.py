"""Many clients, slow ones, and ones that leave."""

import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event

import pytest

from tests.pictures import encode, noise
from tests.servers import FORM, GUNICORN, Server, form_of, running

from .asking import Answer, ask, begin, caption, in_flight, together, until, workers
from .cases import PHOTO
from .conftest import Told

DEADLINE, ROOM = 2, 4  # seconds; photos that wait beside the one that a worker captions
WIDE = "?beam_width=20"


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    """Large enough to keep a worker busy for a while."""
    return [encode(noise(900, 600, seed), "JPEG") for seed in range(8)]


@pytest.fixture(scope="module")
def server(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("load") / "log"
    settings = {"WORKERS": "2", "MAX_WAITING": str(ROOM)}
    with running(GUNICORN, artifact, log, **settings) as server:
        yield server
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def alone(server: Server, photos: list[bytes]) -> list[list[tuple[str, float]]]:
    """The captions of each, one after the other."""
    return [caption(server, photo, WIDE).captions for photo in photos]


@pytest.fixture(scope="module")
def hasty(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("hasty") / "log"
    settings = {"WORKERS": "2", "DEADLINE_SECONDS": str(DEADLINE)}
    with running(GUNICORN, artifact, log, **settings) as server:
        yield server
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("clients", [1, 8, 32, 64])
def test_everyone_gets_the_serial_captions_or_is_told_to_come_back(
    server: Server, told: Told, photos: list[bytes], alone: list[list[tuple[str, float]]], clients: int
) -> None:
    before = workers(server)
    asked = photos * max(1, 2 * clients // len(photos))
    with closing(Probe(server)) as probe:
        answers = together(server, asked, clients, WIDE)
    served = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert all(str(answer) == "503 busy" and int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    for number, answer in enumerate(answers):
        assert answer.status != 200 or answer.captions == alone[number % len(photos)]
    assert workers(server) == before and served and (clients > 1 or not refused)
    counted = f"200 × {len(served)}" + (f", 503 with `Retry-After` × {len(refused)}" if refused else "")
    told(
        f"{clients} client{'s'[: clients - 1]} at once, {len(asked)} photos, {2 + 2 * ROOM} of them at a time",
        counted,
        slowest(served),
    )
    if clients == 64:
        assert refused and slowest(probe.answers) < 10
        told("more work than can be held: the 503 of 64 clients", "503 busy", slowest(refused))
        told("health while 64 clients ask", f"200 × {len(probe.answers)}", slowest(probe.answers))


def slowest(answers: list[Answer]) -> float:
    return max(answer.seconds for answer in answers)


class Probe:
    """Asks for the health again and again, until it is closed."""

    def __init__(self, server: Server) -> None:
        self.answers: list[Answer] = []
        self._server, self._over, self._pool = server, Event(), ThreadPoolExecutor(1)
        self._work = self._pool.submit(self._ask)

    def _ask(self) -> None:
        while not self._over.is_set():
            self.answers.append(ask(self._server, kind="", path="/health", method="GET"))

    def close(self) -> None:
        self._over.set()
        self._work.result()
        self._pool.shutdown()
        assert {answer.status for answer in self.answers} == {200}


def test_clients_that_leave_free_their_place(server: Server, told: Told) -> None:
    """More of them than there are places and threads together; all hang up by a reset."""
    body = form_of(PHOTO)
    for sent in (len(body), len(body) // 2, 0):
        for _ in range(20):
            with closing(begin(server, body, sent)) as connection:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    seconds = until(lambda: in_flight(server) == 0)
    assert caption(server, PHOTO).status == 200
    told("60 clients that leave before their answer", "nobody is in flight any more; the next gets 200", seconds)


def test_senders_that_trickle_are_cut_off_and_nobody_notices(hasty: Server, told: Told) -> None:
    alone = min(caption(hasty, PHOTO).seconds for _ in range(5))
    body = form_of(PHOTO)
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(begin(hasty, body, 0))).sock for _ in range(20)]
        with ThreadPoolExecutor(1) as pool:
            trickling = pool.submit(trickle, slow, body)
            waited = []
            while not trickling.done():
                waited.append(caption(hasty, PHOTO))
        answers, seconds = trickling.result()
    ended = Counter("504 deadline" if b'"code":"deadline"' in answer else f"hung up {answer!r}" for answer in answers)
    assert ended.keys() <= {"504 deadline", "hung up b''"}  # the latter where the machine is slow itself
    assert seconds < 10 * DEADLINE and {answer.status for answer in waited} == {200}
    assert median(answer.seconds for answer in waited) < alone + 1
    until(lambda: in_flight(hasty) == 0)
    told(
        f"20 senders of a byte at a time (limit: {DEADLINE} s)",
        ", ".join(f"{what} × {count}" for what, count in ended.items()),
        seconds,
    )
    told("others meanwhile, the slowest", "200, each", slowest(waited))


def trickle(connections: list[socket.socket], body: bytes) -> tuple[list[bytes], float]:
    """A byte on each now and then; the answers, and the seconds until the last has come."""
    started, answers = time.perf_counter(), dict[socket.socket, bytes]()
    for byte in body:
        for connection in connections:
            if connection not in answers:
                if select.select([connection], [], [], 0)[0]:
                    answers[connection] = b"".join(iter(partial(connection.recv, 2**16), b""))
                else:
                    connection.sendall(bytes([byte]))
        time.sleep(0.02)
        if len(answers) == len(connections):
            break
    return list(answers.values()), time.perf_counter() - started


def test_silence_in_the_middle_of_a_request_is_ended(hasty: Server, told: Told) -> None:
    body = form_of(PHOTO)
    head = (
        f"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    for what, sent in {"in the head": head[:-9], "in the body": head + body[:-9]}.items():
        with closing(socket.create_connection(("127.0.0.1", hasty.port), timeout=60)) as connection:
            started = time.perf_counter()
            connection.sendall(sent)
            answer = b"".join(iter(partial(connection.recv, 2**16), b""))
            seconds = time.perf_counter() - started
        assert (b" 504 " in answer and b'"deadline"' in answer) if "body" in what else answer == b""
        assert seconds < 10 * (DEADLINE + 5)
        told(f"silence {what} of a request (limit: {DEADLINE} s)", "504 deadline" if answer else "hung up", seconds)
