"""The stable words of errors, for clients to branch on: the status each is sent with, and when."""

from http import HTTPStatus
from typing import NamedTuple


class Code(NamedTuple):
    """What a word stands for."""

    status: HTTPStatus
    when: str


CODES = {
    word: Code(HTTPStatus(status), when)
    for word, status, when in (
        ("no_file", 400, "no photo in the form, or it was sent as text"),
        ("multiple_files", 400, "more than one photo"),
        ("empty_file", 400, "a file of zero bytes"),
        ("bad_option", 400, "an option outside its range, sent as a file, or given twice with different values"),
        ("bad_form", 400, "a multipart form without a boundary, cut before its end, or otherwise garbled"),
        ("bad_request", 400, "a request that could not be understood"),
        ("not_found", 404, "no such address"),
        ("method_not_allowed", 405, "the address takes other methods, named in `Allow`"),
        ("too_large", 413, "more than `MAX_UPLOAD_MB`, or too many form fields, or too much text"),
        ("unsupported_media_type", 415, "not a multipart form, or a compressed body"),
        ("not_an_image", 415, "the content is in none of the formats"),
        ("damaged_image", 422, "the format is known, the data cannot be decoded"),
        ("too_many_pixels", 422, "more pixels than we decode"),
        ("no_attention", 422, "`return_attention` of a model that has none"),
        ("bad_image", 422, "a picture we cannot turn into RGB"),
        (
            "too_many_requests",
            429,
            "more photos of one client than `RATE_LIMIT` lets in; `Retry-After` says when to come back",
        ),
        ("internal_error", 500, "our fault; the log has the reason under the request's id"),
        ("busy", 503, "as many photos wait as the server holds; `Retry-After` says when to come back"),
        ("unavailable", 503, "the network cannot caption at the moment"),
        ("deadline", 504, "the request, its upload included, took longer than `DEADLINE_SECONDS`"),
    )
}


def table() -> list[str]:
    """The rows of the table in docs/api.md."""
    return [f"| `{word}` | {code.status} | {code.when} |" for word, code in CODES.items()]
