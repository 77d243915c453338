"""gunicorn's thread worker, with manners: it starts and stops without fuss, and refuses garbage in our own words."""

import json
import logging
import select
import signal
import socket
import sys
import uuid
from contextlib import suppress
from http import HTTPStatus
from time import monotonic, sleep
from typing import Any

from flask import Flask
from gunicorn.errors import AppImportError
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from model.errors import CaptionerError
from web.logs import write_log
from web.problems import BAD_REQUEST, internal_error, problem_body
from web.tracing import CACHING, HEADERS

RETRY_SECONDS = 2  # before a worker that could not load is followed by another
SIBLING_SECONDS = 30  # that the workers begun together may take longer than one another to load
HANG_UP_SECONDS = 5  # what a client gets to read that its time is over
_STATUS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}


class Worker(ThreadWorker):
    """One process of the server."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._since: dict[Any, float] = {}  # when a thread began to serve each connection

    def init_signals(self) -> None:
        """Leave Ctrl-C to the master, whose order to quit follows at once: on both, gunicorn's worker deadlocks."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def load_wsgi(self) -> None:
        """Call `create_app`; if the first workers cannot load the captioner, the server ends with one line."""
        try:
            super().load_wsgi()
        except Exception as error:
            if self.age > self.cfg.workers:  # others may be serving still, and gunicorn would end them too
                write_log("a worker cannot start, and will be tried again", level=logging.ERROR, error=error)
                self._wait(RETRY_SECONDS)
                sys.exit(1)
            if not isinstance(error, CaptionerError):
                raise
            if self.age > 1:
                # The first fails alike and says so. If two did, gunicorn's master would end with a traceback.
                self._wait(SIBLING_SECONDS)
            raise AppImportError(f"Cannot start: {error}") from error

    def _wait(self, seconds: float) -> None:
        """Unless the master says stop."""
        until = monotonic() + seconds
        while monotonic() < until:
            if not self.alive:
                sys.exit(0)
            sleep(0.05)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM, say that no more photos are welcome; gunicorn answers every request in flight.

        It may come while the app is still being loaded, from a reload that follows another; the worker then goes as
        soon as it has loaded. An error here would pass for one of the app's, and end the whole server.
        """
        app = getattr(self, "wsgi", None)
        if isinstance(app, Flask):
            app.extensions["captions"].draining = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """When stopping, take in who is at the door already, and shut it: left open, it would let them wait in vain."""
        super().set_accept_enabled(enabled)
        if not (enabled or self.alive):
            for listener in (each for each in self.sockets if each.fileno() >= 0):
                while select.select([listener], [], [], 0)[0]:
                    self.accept(listener)
                listener.close()

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection, in a thread of its own, and note since when."""
        self._since[conn] = monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._since[conn]

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The time of a request counts anew once its head is there, as it does in the app."""
        self._since[conn] = monotonic()
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Every second: hear no more of whom a thread has served too long, and later hang up.

        Else eight that send a byte at a time, or never read their answer, would hold as many threads for good.
        """
        super().murder_pending()
        for conn, since in tuple(self._since.items()):
            over = monotonic() - since - self.wsgi.config["SETTINGS"].deadline_seconds
            if over > 1:  # the app's clock began a moment later, and it should answer that time is over
                with suppress(OSError):  # gone already
                    conn.sock.shutdown(socket.SHUT_RD if over < HANG_UP_SECONDS else socket.SHUT_RDWR)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer as a problem what never reaches Flask; gunicorn would repeat the request, in a page and in its log."""
        number = uuid.uuid4().hex
        if isinstance(exc, ParseException):
            status, code, detail = _STATUS.get(type(exc), HTTPStatus.BAD_REQUEST), "bad_request", BAD_REQUEST
        else:
            status, code, detail = HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", internal_error(number)
            write_log("unexpected error", level=logging.ERROR, error=exc, id=number)
        write_log("request", id=number, method=None, route=None, status=status, outcome=code)
        body = json.dumps(problem_body(code, detail, number, status)).encode()
        headers = {
            **{"Connection": "close", "Content-Type": "application/problem+json", "Content-Length": str(len(body))},
            **{"X-Request-ID": number, **HEADERS, **CACHING},
        }
        lines = (f"HTTP/1.1 {status} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", "")
        with suppress(OSError):  # whoever sent this may be gone
            client.sendall("\r\n".join(lines).encode() + body)
