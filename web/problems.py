"""Errors as a client sees them: RFC 9457 `application/problem+json`, or the same as a readable page."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, current_app, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from model.errors import ImageError, NoAttention
from web.codes import CODES
from web.limits import MAX_PARTS, MAX_TEXT_BYTES, GarbledForm
from web.logs import write_log
from web.tracing import request_id

BAD_REQUEST = "The request could not be understood, or broke off before its end."
_BAD_FORM = (
    "A multipart form names its boundary and ends with it; this one does not, or was cut short: let your HTTP client "
    "build the form, as `curl -F image=@photo.jpg` does."
)


class Problem(Exception):
    """An answer that is an error. `detail` is written for the person at the other end."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = CODES[code].status
        self.headers = headers or {}

    def as_json(self) -> dict[str, object]:
        """The body of the answer, with the id of the current request."""
        return problem_body(self.code, self.detail, request_id(), self.status)


def problem_body(code: str, detail: str, instance: str, status: HTTPStatus) -> dict[str, object]:
    """The members of RFC 9457, our `code`, and `error` for clients that look for that."""
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "error": detail,
    }


def register_problems(app: Flask) -> None:
    """Answer every error of the app, expected or not, as a problem."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(ImageError, lambda error: respond(from_image_error(error)))
    app.register_error_handler(NoAttention, lambda _: respond(no_attention()))
    app.register_error_handler(HTTPException, lambda error: respond(from_http_exception(error)))
    app.register_error_handler(Exception, lambda error: respond(from_bug(error)))


def respond(problem: Problem) -> Response:
    """The problem as this client likes to read it."""
    g.outcome = problem.code
    if wants_page():
        response = make_response(render_template("index.html", problem=problem))
    else:
        response = jsonify(problem.as_json())
        response.mimetype = "application/problem+json"
    response.status_code = problem.status
    response.headers.update(problem.headers)
    return response


def wants_page() -> bool:
    """A browser asks for HTML by name; the form's target answers HTML to all who do not ask for JSON."""
    if request.path == "/predict" or request.path.startswith("/health"):
        return False
    offers = ["application/json", "application/problem+json", "text/html"]
    if request.path == "/" and request.method == "POST":
        offers.reverse()  # of equally welcome offers the first wins
    return request.accept_mimetypes.best_match(offers, default=offers[0]) == "text/html"


def from_image_error(error: ImageError) -> Problem:
    """What `model.image` says of bytes names no path, and is written for people."""
    return Problem(error.code, str(error))


def no_attention() -> Problem:
    """The network behind this server has no attention to show."""
    return Problem("no_attention", "This server's network does not say where it looks: ask without `return_attention`.")


def from_http_exception(error: HTTPException) -> Problem:
    """What werkzeug and Flask raise, in our words."""
    if error.code == 404:
        return Problem("not_found", "Nothing lives at this address: the page is at /, the API at /predict.")
    if error.code == 405:
        allowed = dict(error.get_headers()).get("Allow", "")
        return Problem("method_not_allowed", f"This address takes {allowed}, not {request.method}.", {"Allow": allowed})
    if error.code == 413:
        return Problem("too_large", _limits())
    return _from_bad_request(error) if error.code and error.code < 500 else from_bug(error)


def _from_bad_request(error: HTTPException) -> Problem:
    if "deadline" in g and not g.deadline.seconds_left:
        return g.deadline.passed()  # the server stopped listening: no wonder that something is missing
    if isinstance(error, GarbledForm):
        return Problem("bad_form", _BAD_FORM)
    return Problem("bad_request", BAD_REQUEST)


def from_bug(error: Exception) -> Problem:
    """The log gets the reason, the client the number to find it by."""
    write_log("unexpected error", level=logging.ERROR, error=error, id=request_id())
    return Problem("internal_error", internal_error(request_id()))


def internal_error(instance: str) -> str:
    """What a client is told of a bug."""
    return f"Something went wrong on our side. If it stays, report it with {instance}."


def _limits() -> str:
    megabytes = current_app.config["MAX_CONTENT_LENGTH"] // 2**20
    return (
        f"A request holds at most {megabytes} MB, {MAX_PARTS} form fields and {MAX_TEXT_BYTES // 1024} kB "
        "of text: send one photo, made smaller if need be."
    )
