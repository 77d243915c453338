"""Laws of the worker that no request can bring about. Over a socket: `reliability/`."""

import json
import socket

import pytest

from web.logs import open_log
from web.worker import Worker


def test_a_bug_below_flask_is_a_problem_for_the_client_and_a_line_of_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    open_log()
    worker = object.__new__(Worker)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker.handle_error(None, ours, ("127.0.0.1", 1), RuntimeError("no room at /usr/lib"))
        head, _, body = theirs.recv(2**16).partition(b"\r\n\r\n")
    problem, log = json.loads(body), capsys.readouterr().err
    assert head.startswith(b"HTTP/1.1 500 ") and b"application/problem+json" in head
    assert problem["code"] == "internal_error" and "/usr/lib" not in body.decode()
    assert problem["instance"] in problem["detail"] and log.count(problem["instance"]) == 2 and "/usr/lib" in log
