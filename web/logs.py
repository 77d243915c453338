"""The log: one line of JSON for each thing that happened, on stderr.

A line holds what the server knows, never what a client wrote: no file name, no text of a form, no header but a short
and plain request id. An error is told by its type, its message and where it arose, on that same line.
"""

import json
import logging
import warnings
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO, cast

from flask.logging import wsgi_errors_stream

_log = logging.getLogger("web")
_handler = logging.StreamHandler(cast(TextIO, wsgi_errors_stream))
_FRAMES = 6  # the innermost ones of an error


def open_log() -> None:
    """Log from here on, whichever server runs the app."""
    _log.setLevel(logging.INFO)
    _log.addHandler(_handler)  # the same one, however many apps are made
    warnings.showwarning = _warn


def write_log(
    event: str, /, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object
) -> None:
    """One line; `fields` must be values of JSON."""
    told = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": logging.getLevelName(level).lower()}
    reasons = {} if error is None else {"error": _reasons(error)}
    _log.log(level, json.dumps({**told, "event": event, **fields, **reasons}))


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Pillow warns of strange EXIF: in lines that name the folders of this machine, and may quote the photo."""
    write_log("warning", level=logging.WARNING, type=category.__name__, at=f"{Path(filename).name}:{lineno}")


def _reasons(error: BaseException) -> list[dict[str, object]]:
    """The error, and what led to it."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return [{"type": type(one).__name__, "message": str(one), "at": _places(one.__traceback__)} for one in chain]


def _places(trace: TracebackType | None) -> list[str]:
    """`file.py:line function` of the innermost frames, without the folders of this machine."""
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-_FRAMES:]
