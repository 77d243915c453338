"""The service as it is run: a process of its own, asked over a socket."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
GUNICORN = (sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "app:create_app()")
PLAIN = (sys.executable, "app.py")
START_SECONDS = 120  # loading TensorFlow on a busy machine
EDGE = "edge-of-a-part"
FORM = f"multipart/form-data; boundary={EDGE}"


@dataclass
class Server:
    """A running server and how to talk to it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, dict[str, Any] | str]:
        """The status, and the body as JSON or text."""
        with closing(self.connect()) as connection:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            text = answer.read().decode()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text

    def caption(self, photo: bytes) -> tuple[int, Any]:
        return self.ask("POST", "/predict", form_of(photo), FORM)

    def connect(self) -> HTTPConnection:
        """A connection to keep; close it."""
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def say(self, *pieces: bytes) -> bytes:
        """Send raw bytes, say no more, and hear everything until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(2**16), b""))

    def is_healthy(self) -> bool:
        try:
            return self.ask("GET", "/health")[0] == 200
        except OSError:
            return False

    def stop(self, how: signal.Signals) -> int:
        """The exit code; a Ctrl-C goes to every process of the server, as a terminal sends it."""
        send = os.killpg if how is signal.SIGINT else os.kill
        send(self.process.pid, how)
        return self.process.wait(timeout=15)


def form_of(photo: bytes) -> bytes:
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="image"; filename="photo"\r\n\r\n'.encode()
    return head + photo + f"\r\n--{EDGE}--\r\n".encode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def environment(artifacts: Path, port: int, **settings: str) -> dict[str, str]:
    return os.environ | {"ARTIFACTS": str(artifacts), "PORT": str(port), "WORKERS": "1", "CACHE_MB": "0"} | settings


@contextmanager
def running(command: tuple[str, ...], artifacts: Path, log: Path, **settings: str) -> Iterator[Server]:
    port, figures = free_port(), Path(f"{log}-figures")
    figures.mkdir()  # a server that is killed leaves its own behind
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(artifacts, port, **{"PROMETHEUS_MULTIPROC_DIR": str(figures), **settings}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.is_healthy():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def refusal(command: tuple[str, ...], artifacts: Path, port: int, **settings: str) -> tuple[int, str]:
    """Exit code and error output of a server that should not start."""
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(artifacts, port, **settings),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    return ended.returncode, ended.stderr


def the_one_line(command: tuple[str, ...], artifacts: Path, port: int, **settings: str) -> str:
    """The reason a server gives for not starting, beside gunicorn's own log."""
    code, errors = refusal(command, artifacts, port, **settings)
    assert code not in (0, None) and "Traceback" not in errors
    (line,) = [line for line in errors.splitlines() if not re.match(r"\[\d{4}-", line)]
    assert line.startswith("Cannot start: ")
    return line
