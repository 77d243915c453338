"""An id, a log line and the security headers for every answer."""

import re
import uuid
from time import perf_counter

from flask import Flask, Response, g, request

from web.logs import write_log

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
CACHING = {"Cache-Control": "no-store"}  # of all but the page's files


def register_tracing(app: Flask) -> None:
    """Give every request an id and every answer its headers and its line in the log."""
    app.before_request(start)
    app.after_request(finish)


def start() -> None:
    """Before every request."""
    g.started = perf_counter()


def request_id() -> str:
    """The client's `X-Request-ID` where it is short and plain, else one of our own."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex
    return str(g.request_id)


def finish(response: Response) -> Response:
    """After every request, errors included."""
    response.headers["X-Request-ID"] = request_id()
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.headers.update(CACHING)
    _log_line(response)
    return response


def _log_line(response: Response) -> None:
    """The route rather than the path as sent: what clients write stays out of the log."""
    write_log(
        "request",
        id=request_id(),
        method=request.method if request.method in METHODS else "other",
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        outcome=g.get("outcome", "ok"),
        seconds={**g.get("seconds", {}), "request": round(perf_counter() - g.started, 4)},
    )
