"""Processes that die, stop, reload, and run out of disk."""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event

import pytest

from model.checksums import DECODER_WEIGHTS
from tests.pictures import encode, noise
from tests.servers import GUNICORN, Server, form_of, running

from .asking import Answer, ask, begin, caption, heard, owner, until, workers
from .cases import PHOTO
from .conftest import Told

BODY = form_of(PHOTO)
MISSING = 9  # bytes that a request in flight has not sent yet


@pytest.fixture(scope="module")
def own_artifact(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One to damage."""
    return Path(shutil.copytree(artifact, tmp_path_factory.mktemp("own") / "artifact"))


@pytest.fixture(scope="module")
def server(own_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("faults") / "log"
    with running(GUNICORN, own_artifact, log, WORKERS="2") as server:
        yield server
    assert "Traceback" not in log.read_text()


def in_the_middle(server: Server, stack: ExitStack, count: int) -> list[HTTPConnection]:
    """Requests that a worker has begun to read."""
    open_ones = [stack.enter_context(closing(begin(server, BODY, len(BODY) - MISSING))) for _ in range(count)]
    until(lambda: all(owner(connection, server) for connection in open_ones))
    return open_ones


def finish(connection: HTTPConnection) -> Answer | None:
    """The answer to a request, once its last bytes are sent; None where nobody answers."""
    started = time.perf_counter()
    try:
        connection.send(BODY[-MISSING:])
        return heard(connection.getresponse(), started)
    except (OSError, HTTPException):
        return None


def test_a_killed_worker_takes_only_its_own_requests_with_it(server: Server, told: Told) -> None:
    expected, connections = caption(server, PHOTO).captions, []
    with ExitStack() as stack:
        for asleep in workers(server):  # so that the other takes these
            os.kill(asleep, signal.SIGSTOP)
            connections += in_the_middle(server, stack, 6)
            os.kill(asleep, signal.SIGCONT)
        owners = [owner(connection, server) for connection in connections]
        victim = owners[0]
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        answers = [finish(connection) for connection in connections]
    for pid, answer in zip(owners, answers, strict=True):
        assert answer is None if pid == victim else answer is not None and answer.captions == expected
    lost = owners.count(victim)
    assert lost == 6
    seconds = until(lambda: len(workers(server)) == 2 and victim not in workers(server))
    told(
        f"one of two workers is killed with {lost} of 12 requests in the middle",
        f"200 × {12 - lost}; another worker is started",
        seconds,
        lost=f"the {lost} requests of that worker",
    )


def kill_all(server: Server) -> None:
    """Every worker; whoever asks now waits at the door until a new one opens."""
    before = set(workers(server))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not before & set(workers(server)))


def test_a_server_whose_workers_are_all_killed_answers_again_by_itself(server: Server, told: Told) -> None:
    kill_all(server)
    answer = caption(server, PHOTO)
    assert answer.status == 200
    told("both workers are killed, and a request comes", "200, as soon as a new worker is ready", answer.seconds)


def test_a_reload_loses_nothing(server: Server, told: Told) -> None:
    before, expected, over = set(workers(server)), caption(server, PHOTO).captions, Event()

    def client(_: int) -> list[Answer]:
        answers = []
        while not over.is_set():
            answers.append(caption(server, PHOTO))
        return answers

    with ThreadPoolExecutor(4) as pool, ExitStack() as stack:
        begun = in_the_middle(server, stack, 4)
        asked = pool.map(client, range(4))
        server.process.send_signal(signal.SIGHUP)
        try:
            until(lambda: len(set(workers(server)) - before) == 2)
            begun_answers = [finish(connection) for connection in begun]
            seconds = until(lambda: not before & set(workers(server)))
            assert caption(server, PHOTO).status == 200
        finally:
            over.set()
        answers = [*begun_answers, *(answer for each in asked for answer in each)]
    assert all(answer is not None and answer.captions == expected for answer in answers)
    told("reload (SIGHUP) while 4 clients ask", f"200 × {len(answers)}, from new workers at last", seconds)


def test_a_reload_while_workers_are_loading_does_no_harm(server: Server, told: Told) -> None:
    kill_all(server)
    before, started = set(workers(server)), time.perf_counter()
    server.process.send_signal(signal.SIGHUP)
    until(lambda: not before & set(workers(server)) and len(workers(server)) == 2)
    assert caption(server, PHOTO).status == 200
    told("reload (SIGHUP) while both workers are loading", "200, from the next ones", time.perf_counter() - started)


def test_an_artifact_that_breaks_later_stops_no_worker_that_has_it(
    server: Server, own_artifact: Path, told: Told
) -> None:
    weights = own_artifact / DECODER_WEIGHTS
    whole, (victim, other) = weights.read_bytes(), workers(server)
    weights.write_bytes(whole[:-100])
    os.kill(victim, signal.SIGKILL)
    until(lambda: server.log.read_text().count("will be tried again") >= 2)
    answer = caption(server, PHOTO)
    assert answer.status == 200 and other in workers(server)
    told("the artifact breaks, and one of two workers is killed", "200, from the other one", answer.seconds)
    weights.write_bytes(whole)
    os.kill(other, signal.SIGKILL)
    answer = caption(server, PHOTO)
    assert answer.status == 200
    told("it is mended, and the other is killed too", "200, as soon as a new worker is ready", answer.seconds)


# ---------------------------------------------------------------- disk


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of its processes, nor of those that they start, can grow."""
    master = server.process.pid
    soft, hard = resource.prlimit(master, resource.RLIMIT_FSIZE)
    for pid in (master, *workers(server)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(master, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_log_lines_and_no_caption(server: Server, told: Told) -> None:
    large = encode(noise(1500, 1000), "BMP")  # 4.5 MB: nine times what werkzeug would keep in memory
    expected, plain = caption(server, large).captions, caption(server, PHOTO).captions
    with full_disk(server):
        logged = server.log.stat().st_size
        answers = [caption(server, large) for _ in range(4)]
        assert all(answer.captions == expected for answer in answers)
        assert ask(server, kind="", path="/metrics", method="GET").status == 200
        kill_all(server)
        again = caption(server, PHOTO)
        assert again.captions == plain
        assert server.log.stat().st_size == logged
    slow = max(answer.seconds for answer in answers)
    told("no file can grow any more: an upload of 4.5 MB", "200", slow, lost="lines of the log")
    told("the same, and both workers are killed", "200, from new workers without metrics", again.seconds)
    _restart_workers(server)


def _restart_workers(server: Server) -> None:
    """Those begun on a full disk keep no metrics."""
    before = set(workers(server))
    server.process.send_signal(signal.SIGHUP)
    until(lambda: len(workers(server)) == 2 and not before & set(workers(server)))
    assert caption(server, PHOTO).status == 200


def test_a_full_memory_disk_kills_no_worker(artifact: Path, told: Told, tmp_path: Path) -> None:
    """The figures for /metrics are mapped into memory: a page for which there is no room would end the process."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount") or "mount"
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("needs the right to mount a tiny disk (root)")
    try:
        settings = {"WORKERS": "2", "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        with running(GUNICORN, artifact, tmp_path / "log", **settings) as server:
            before = workers(server)
            with (folder / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
                while True:
                    filler.write(bytes(4096))
            answers = [caption(server, PHOTO) for _ in range(8)]
            assert {str(answer) for answer in answers} == {"200"}
            assert str(ask(server, kind="", path="/nowhere", method="GET")) == "404 not_found"
            assert workers(server) == before
            kill_all(server)
            again = caption(server, PHOTO)
            assert again.status == 200
        told("the disk of the metrics is full", "200, and metrics go on", max(answer.seconds for answer in answers))
        told("the same, and both workers are killed", "200, from new workers without metrics", again.seconds)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


# ---------------------------------------------------------------- the end


def test_on_sigterm_all_that_is_in_flight_is_answered(server: Server, told: Told) -> None:
    """The last of this file: the server is gone afterwards."""
    expected = caption(server, PHOTO).captions
    with ExitStack() as stack, closing(server.connect()) as idle:
        slow = in_the_middle(server, stack, 8)
        assert readiness(idle) == 200
        server.process.send_signal(signal.SIGTERM)
        until(lambda: new_connection(server) != 200)
        refused = new_connection(server)
        assert readiness(idle) in (0, 503)
        answers = [finish(connection) for connection in slow]
    started = time.perf_counter()
    assert server.process.wait(timeout=60) == 0
    assert all(answer is not None and answer.captions == expected for answer in answers)
    assert refused in (0, 503)
    ready = "refused" if refused == 0 else "503"
    told(
        "SIGTERM with 8 requests in flight",
        f"200 × {len(answers)}; readiness: {ready}; exit code 0",
        time.perf_counter() - started,
    )


def readiness(connection: HTTPConnection) -> int:
    """The status; 0 where nobody answers."""
    try:
        connection.request("GET", "/health/ready")
        return heard(connection.getresponse(), 0).status
    except (OSError, HTTPException):
        return 0


def new_connection(server: Server) -> int:
    with closing(server.connect()) as connection:
        return readiness(connection)
