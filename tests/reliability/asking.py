"""Requests to a server and what comes back, with a clock beside; and a look at the server's processes."""

import json
import re
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Barrier
from typing import Any

from tests.servers import FORM, Server, form_of

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "error"}
OF_THIS_MACHINE = re.compile(r"Traceback|site-packages|/[a-z]+/[a-z_]+/[\w./]*\.py|PIL|Pillow|numpy|gunicorn")


@dataclass(frozen=True)
class Answer:
    """What a server said, and after how long."""

    status: int
    headers: Message
    text: str
    seconds: float

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def captions(self) -> list[tuple[str, float]]:
        """Text and log-probability of each; equal for all but ties."""
        return [(each["caption"], round(each["log_probability"], 4)) for each in self.body["captions"]]

    def __str__(self) -> str:
        """`422 damaged_image`; makes sure that an error is told as all errors are."""
        if self.status < 400:
            return str(self.status)
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        body = self.body
        assert body.keys() == MEMBERS and body["status"] == self.status and body["error"] == body["detail"]
        assert body["instance"] == self.headers["X-Request-ID"]
        assert not OF_THIS_MACHINE.search(self.text + str(self.headers["Server"]).replace("gunicorn", ""))
        return f"{self.status} {body['code']}"


def ask(server: Server, body: bytes = b"", kind: str = FORM, path: str = "/predict", method: str = "POST") -> Answer:
    """One request on a connection of its own."""
    started = time.perf_counter()
    with closing(server.connect()) as connection:
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        return heard(connection.getresponse(), started)


def heard(response: HTTPResponse, started: float) -> Answer:
    text = response.read().decode()
    return Answer(response.status, response.headers, text, time.perf_counter() - started)


def caption(server: Server, photo: bytes, query: str = "") -> Answer:
    return ask(server, form_of(photo), path=f"/predict{query}")


def together(server: Server, photos: Sequence[bytes], clients: int, query: str = "") -> list[Answer]:
    """Every client sends as many photos, one after the other, and all begin at the same moment."""
    start = Barrier(clients)

    def client(number: int) -> list[Answer]:
        start.wait()
        return [caption(server, photo, query) for photo in photos[number::clients]]

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(client, range(clients)))
    return [answers[number % clients][number // clients] for number in range(len(photos))]


def begin(server: Server, body: bytes, sent: int) -> HTTPConnection:
    """A request of which the last bytes are missing still."""
    connection = server.connect()
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", FORM)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:sent])
    return connection


def in_flight(server: Server) -> float:
    """Requests being served, the one that asks not counted."""
    text = ask(server, kind="", path="/metrics", method="GET").text
    return float(next(line for line in text.splitlines() if line.startswith("captioner_in_flight ")).split()[1]) - 1


# ---------------------------------------------------------------- processes


def workers(server: Server) -> list[int]:
    """Process ids."""
    master = server.process.pid
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def owner(connection: HTTPConnection, server: Server) -> int | None:
    """The worker that holds the other end of a connection; None before it is accepted."""
    assert isinstance(connection.sock, socket.socket)
    local, remote = f"{connection.sock.getsockname()[1]:04X}", f"{server.port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, *_ = fields = line.split()
        if here.endswith(f":{remote}") and there.endswith(f":{local}"):
            return next((pid for pid in workers(server) if f"socket:[{fields[9]}]" in _open_files(pid)), None)
    return None


def _open_files(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except OSError:  # closed meanwhile
            continue
    return found


def megabytes(pid: int, field: str = "VmRSS") -> float:
    """Resident memory; `VmHWM` is the most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:")) / 1024


def forget_peak(pid: int) -> None:
    """Let `VmHWM` begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def until(condition: Any, seconds: float = 60) -> float:
    """Wait; the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - started
