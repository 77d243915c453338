"""How much a request may hold, and what becomes of one that holds more."""

from contextlib import suppress
from io import BytesIO
from time import monotonic
from typing import IO, Any

from flask import Flask, Request, Response, request
from werkzeug import formparser
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser
from werkzeug.sansio.multipart import MultipartDecoder

MAX_PARTS = 20
MAX_TEXT_BYTES = 128 * 1024  # werkzeug holds its read buffer of 64 kB against the same limit
DRAIN_BYTES, DRAIN_SECONDS = 100 * 2**20, 5


class GarbledForm(BadRequest):
    """A form that cannot be taken apart: without a boundary, cut before its end, or not what it says it is."""


class Body:
    """The body of a request. Werkzeug answers its OSError with a 400, and knows nothing of gunicorn's own errors."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Raises OSError where the sender went away, or garbled the chunks."""
        try:
            return self._stream.read(size)
        except OSError:
            raise
        except Exception as error:
            raise OSError("the body cannot be read") from error


class PartHeads(MultipartDecoder):
    """Takes a multipart form apart; a file may have a name in any encoding, since nobody reads it."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        return super()._parse_headers(data.decode(errors="replace").encode())


vars(formparser)["MultipartDecoder"] = PartHeads  # werkzeug leaves no other way, and calls such a form garbled


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: no photo touches a disk, and the disk may be read-only.

    A form that cannot be parsed raises GarbledForm; werkzeug would take it for an empty one.
    """

    def __init__(self, environ: dict[str, Any], *arguments: Any, **options: Any) -> None:
        environ["wsgi.input"] = Body(environ["wsgi.input"])
        super().__init__(environ, *arguments, **options)

    def make_form_data_parser(self) -> FormDataParser:
        """One that raises ValueError."""
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser

    def _load_form_data(self) -> None:
        try:
            super()._load_form_data()
        except ValueError as error:
            raise GarbledForm from error

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


def register_limits(app: Flask, max_upload_bytes: int) -> None:
    """Beyond a limit werkzeug stops reading and raises a 413, which `web.problems` answers."""
    app.request_class = InMemoryRequest
    app.config.update(
        MAX_CONTENT_LENGTH=max_upload_bytes, MAX_FORM_PARTS=MAX_PARTS, MAX_FORM_MEMORY_SIZE=MAX_TEXT_BYTES
    )
    app.after_request(drain)


def drain(response: Response) -> Response:
    """Drop what is left of a refused body.

    A client that is still sending would see its connection reset instead of the answer. Up to a bound: whoever
    sends more than that is not waiting for an answer. Werkzeug's own server does this itself.
    """
    if request.environ.get("wsgi.input_terminated"):
        body, left, deadline = request.environ["wsgi.input"], DRAIN_BYTES, monotonic() + DRAIN_SECONDS
        with suppress(Exception):  # the client is gone, or its chunks are garbled: the answer stays the same
            while left > 0 and monotonic() < deadline and (chunk := body.read(2**16)):
                left -= len(chunk)
    return response
