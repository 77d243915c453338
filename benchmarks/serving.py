"""The server as `make run` starts it, for as long as a benchmark needs it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT

_EDGE = "edge-of-a-part"
_START_SECONDS = 120


@contextmanager
def serving(artifacts: Path, log: Path) -> Iterator[tuple[int, int]]:
    """Yields the port and the process id, once a photo would be captioned; without a cache."""
    port = _free_port()
    settings = {"ARTIFACTS": str(artifacts.resolve()), "PORT": str(port), "HOST": "127.0.0.1", "CACHE_MB": "0"}
    environment = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "REDIS_URL")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "app:create_app()"],
            cwd=ROOT,
            env=environment | settings,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(process, port, log)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def post(connection: HTTPConnection, photo: bytes) -> tuple[int, float, dict[str, Any]]:
    """Status, the seconds that the server asks to wait (0 mostly), and the answer."""
    head = f'--{_EDGE}\r\nContent-Disposition: form-data; name="image"; filename="photo"\r\n\r\n'.encode()
    body = head + photo + f"\r\n--{_EDGE}--\r\n".encode()
    connection.request("POST", "/predict", body, {"Content-Type": f"multipart/form-data; boundary={_EDGE}"})
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, float(answer.headers.get("Retry-After", 0)), json.loads(text)


def megabytes_of(pid: int) -> float:
    """Resident memory of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024
    return own + sum(megabytes_of(int(child)) for child in children)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server did not start:\n{log.read_text()}") from None
        finally:
            connection.close()
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
