"""What a client sends: one photo, and a few options."""

import re
from dataclasses import dataclass

from flask import Request

from model.config import MAX_BEAM_WIDTH
from web.problems import Problem

FIELDS = ("image", "file")
DEFAULT_CAPTIONS = 3
WHOLE_NUMBER = re.compile(r"[0-9]{1,4}")
TRUTH = {"true": True, "1": True, "false": False, "0": False}

NO_FILE = "Send a photo as a file in the field `image` of a multipart/form-data form."


@dataclass(frozen=True)
class Options:
    """How many captions, how wide the search, and what else comes back with them."""

    num_captions: int
    beam_width: int
    return_image: bool
    return_attention: bool


def read_photo(request: Request) -> bytes:
    """The bytes of the one photo in a multipart form; its name and declared type are never looked at.

    Raises Problem `no_file`, `multiple_files` or `unsupported_media_type`; werkzeug raises 413 over a limit.
    """
    _require_form(request)
    photos = [photo for field in FIELDS for photo in request.files.getlist(field) if photo.filename]
    if not photos:
        raise Problem("no_file", NO_FILE)
    if len(photos) > 1:
        raise Problem("multiple_files", f"Send one photo at a time: this request holds {len(photos)}.")
    return photos[0].stream.read()


def _require_form(request: Request) -> None:
    """Let through a form, or a request with no body at all, which is rather a photo forgotten."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        detail = "Send the form as it is, without Content-Encoding: compressed bodies are not unpacked here."
        raise Problem("unsupported_media_type", detail, {"Accept-Encoding": "identity"})
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        raise Problem("no_file", NO_FILE)
    if request.mimetype == "multipart/form-data":
        return
    # curl --data-binary gives a raw photo the label of a form; text of a real one is always ASCII.
    if request.mimetype != "application/x-www-form-urlencoded" or not request.get_data().isascii():
        raise Problem(
            "unsupported_media_type",
            "Send the photo in a multipart/form-data form, as `curl -F image=@photo.jpg` does.",
        )


def read_options(request: Request, default_beam_width: int) -> Options:
    """Options from the form or the query. Raises Problem `bad_option`."""
    beam_width = _number(request, "beam_width", default_beam_width, MAX_BEAM_WIDTH)
    num_captions = _number(request, "num_captions", min(DEFAULT_CAPTIONS, beam_width), beam_width)
    return Options(num_captions, beam_width, _truth(request, "return_image"), _truth(request, "return_attention"))


def _number(request: Request, name: str, default: int, largest: int) -> int:
    text = _text(request, name)
    if text is None:
        return default
    if not WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= largest:
        limit = f"{largest}, the beam width" if name == "num_captions" else str(largest)
        raise Problem("bad_option", f"`{name}` must be a whole number from 1 to {limit}.")
    return int(text)


def _truth(request: Request, name: str) -> bool:
    text = _text(request, name)
    if text is None:
        return False
    if text.lower() not in TRUTH:
        raise Problem("bad_option", f"`{name}` must be true or false.")
    return TRUTH[text.lower()]


def _text(request: Request, name: str) -> str | None:
    if name in request.files:
        raise Problem("bad_option", f"`{name}` is an option, not a file: give it as text.")
    given = {text.strip() for text in request.args.getlist(name) + request.form.getlist(name)}
    if len(given) > 1:
        raise Problem("bad_option", f"`{name}` is given twice with different values: give it once.")
    return given.pop() if given else None
