"""What people upload."""

import json

import pytest

from tests.servers import Server, form_of

from .asking import Answer, ask, caption, forget_peak, megabytes, workers
from .cases import CASES, PHOTO, Case
from .conftest import Told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_every_upload_is_answered_as_it_should_be(server: Server, told: Told, case: Case) -> None:
    before = workers(server)
    answer = ask(server, case.body, case.kind)
    assert str(answer) == case.answer
    if case.like is not None:
        assert answer.captions == caption(server, case.like).captions
    assert workers(server) == before
    assert "told" not in answer.text and "told" not in log_line(server, answer)
    told(case.what, case.answer, answer.seconds)


def log_line(server: Server, answer: Answer) -> str:
    """The one line of the log about a request."""
    number = answer.headers["X-Request-ID"]
    (line,) = [line for line in server.log.read_text().splitlines() if number in line]
    assert json.loads(line)["status"] == answer.status
    return line


def test_no_two_pictures_of_these_cases_have_the_same_captions(server: Server) -> None:
    pictures = {case.like for case in CASES if case.like is not None}
    assert len({str(caption(server, picture).captions) for picture in pictures}) == len(pictures)


def test_a_picture_that_is_too_large_is_refused_quickly_and_with_flat_memory(server: Server, told: Told) -> None:
    case = next(case for case in CASES if "50,000" in case.what)
    for pid in workers(server):
        forget_peak(pid)
    before = [megabytes(pid, "VmHWM") for pid in workers(server)]
    seconds = min(ask(server, case.body).seconds for _ in range(8))
    growth = max(megabytes(pid, "VmHWM") - each for pid, each in zip(workers(server), before, strict=True))
    assert seconds < 10 * 0.05 and growth < 50
    told(f"that PNG of 50,000 × 50,000, 8 times: {growth:.0f} MB more memory; the quickest", case.answer, seconds)


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [("GET", "/wp-login.php", "404 not_found"), ("POST", "/../../etc/passwd", "404 not_found"),
     ("GET", "/predict", "405 method_not_allowed"), ("DELETE", "/", "405 method_not_allowed")],
)  # fmt: skip
def test_an_unknown_path_or_method_is_named(server: Server, told: Told, method: str, path: str, answer: str) -> None:
    got = ask(server, kind="", path=path, method=method)
    assert str(got) == answer and "passwd" not in got.text
    assert (got.status == 405) == ("Allow" in got.headers)
    told(f"{method} {path}", answer, got.seconds)


def test_a_browser_gets_the_same_as_a_page(server: Server, told: Told) -> None:
    photo, text = ask(server, form_of(PHOTO), path="/"), ask(server, form_of(b"text"), path="/")
    assert (photo.status, text.status) == (200, 415)
    assert all(answer.headers["Content-Type"].startswith("text/html") for answer in (photo, text))
    assert caption(server, PHOTO).body["caption"] in photo.text.lower() and 'role="alert"' in text.text
    told("text, sent by the page's form", "415, as a page", text.seconds)
