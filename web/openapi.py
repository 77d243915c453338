"""The API as an OpenAPI 3.1 document, from the facts that the server itself goes by."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from web.codes import CODES
from web.limits import MAX_PARTS, MAX_TEXT_BYTES
from web.schemas import OPTIONS, PHOTO_FORM, SCHEMAS, Schema, reference
from web.settings import Settings
from web.tracing import CACHING, HEADERS

_JSON, _PROBLEM, _PAGE = "application/json", "application/problem+json", "text/html"
_STRING = {"type": "string"}
_ABOUT = """\
A photo goes in, one English sentence comes out.

Every error is `application/problem+json` with a stable word in `code`; a browser gets the same as a page. An address
that does not exist is answered with 404 `not_found`, a method that an address does not take with 405
`method_not_allowed` and `Allow`, and what is no proper HTTP with 400, 414 or 431 `bad_request`. `HEAD` works wherever
`GET` does.

A request holds at most {megabytes} MB, {parts} form fields and {kilobytes} kB of text, and may take {seconds} seconds,
its upload included.{rates}"""
_OF_A_PHOTO = (
    *("no_file", "multiple_files", "empty_file", "bad_option", "bad_form", "bad_request"),
    *("too_large", "unsupported_media_type", "not_an_image", "damaged_image", "too_many_pixels", "no_attention"),
    *("bad_image", "too_many_requests", "busy", "deadline"),
)
_HEADERS = {
    "X-Request-ID": {
        "description": "The request's id: the client's own `X-Request-ID` if that was short and plain.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "required": True,
    },
    **{name: {"schema": {"const": value}, "required": True} for name, value in {**HEADERS, **CACHING}.items()},
}
_RETRY_AFTER = {
    "description": "Seconds after which to come back.",
    "schema": {"type": "integer", "minimum": 1},
    "required": True,
}


def describe(settings: Settings) -> dict[str, Any]:
    """The document of a server with these settings."""
    about = _ABOUT.format(
        megabytes=settings.max_upload_mb,
        parts=MAX_PARTS,
        kilobytes=MAX_TEXT_BYTES // 1024,
        seconds=settings.deadline_seconds,
        rates="".join(f" A client may send {rate.amount} photos in {rate.get_expiry()} s." for rate in settings.rates),
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Captioner",
            "version": "1",
            "summary": "Describes a photo in one English sentence.",
            "description": about,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(),
        "components": {"schemas": SCHEMAS, "headers": _HEADERS},
    }


def _paths() -> dict[str, Any]:
    query = [{"in": "query", "name": name, "schema": option} for name, option in OPTIONS.items()]
    upload = {"required": True, "content": {"multipart/form-data": PHOTO_FORM}}
    file = {"in": "path", "name": "filename", "required": True, "schema": _STRING, "example": "icon.svg"}
    ready = {"type": "object", "properties": {"status": {"const": "ready"}}, "required": ["status"]}
    alive = {"type": "object", "properties": {"status": {"const": "alive"}}, "required": ["status"]}
    return {
        "/predict": {
            "post": {
                "summary": "Caption a photo",
                "description": "Options may stand in the form or in the query.",
                "parameters": query,
                "requestBody": upload,
                "responses": _answers(_JSON, reference("Answer"), _OF_A_PHOTO),
            }
        },
        "/": {
            "get": {"summary": "The page", "responses": _answers(_PAGE, _STRING)},
            "post": {
                "summary": "Caption a photo without JavaScript",
                "description": "The target of the page's form. An error is a page, too, unless JSON is asked for.",
                "parameters": query,
                "requestBody": upload,
                "responses": _answers(_PAGE, _STRING, _OF_A_PHOTO),
            },
        },
        "/health": {
            "get": {
                "summary": "Would a photo sent now get a caption?",
                "responses": _answers(_JSON, reference("Health"), ["unavailable"]),
            }
        },
        "/health/ready": {
            "get": {"summary": "The same in a word", "responses": _answers(_JSON, ready, ["unavailable"])}
        },
        "/health/live": {
            "get": {"summary": "Does the process answer at all?", "responses": _answers(_JSON, alive)},
        },
        "/metrics": {
            "get": {"summary": "Figures for Prometheus", "responses": _answers("text/plain", _STRING)},
        },
        "/openapi.json": {
            "get": {"summary": "This document", "responses": _answers(_JSON, {"type": "object"})},
        },
        "/docs": {
            "get": {"summary": "This document, to read", "responses": _answers(_PAGE, _STRING)},
        },
        "/static/{filename}": {
            "get": {
                "summary": "A file of the page",
                "parameters": [file],
                "responses": {
                    **_answers("*/*", {}, ["bad_request", "not_found"]),
                    "206": {"description": "The `Range` that was asked for", "headers": _headers("*/*")},
                    "304": {"description": "What the client has is still good", "headers": _headers("*/*")},
                },
            }
        },
    }


def _answers(kind: str, schema: Schema, codes: Iterable[str] = ()) -> dict[str, Any]:
    """The answer that is meant, of the media type `kind`, and the problems that may come in its place."""
    by_status = groupby(sorted([*codes, "internal_error"], key=_status), _status)
    return {
        "200": {"description": "OK", "headers": _headers(kind), "content": {kind: {"schema": schema}}},
        **{str(status): _problems(kind, list(same)) for status, same in by_status},
    }


def _status(code: str) -> int:
    return int(CODES[code].status)


def _problems(kind: str, codes: list[str]) -> dict[str, Any]:
    """Of one status. Where a page is meant, the problem may be one, too."""
    problem = {
        **reference("Problem"),
        "properties": {"status": {"const": _status(codes[0])}, "code": {"enum": codes}},
    }
    as_page = {} if kind == _JSON else {_PAGE: {"schema": _STRING}}
    later = {"Retry-After": _RETRY_AFTER} if {"too_many_requests", "busy"} & {*codes} else {}
    return {
        "description": "\n".join(f"- `{code}`: {CODES[code].when}" for code in codes),
        "headers": {**_headers(kind), **later},
        "content": {_PROBLEM: {"schema": problem}, **as_page},
    }


def _headers(kind: str) -> dict[str, Any]:
    """Files may be kept by browsers, all else may not."""
    names = [name for name in _HEADERS if kind != "*/*" or name not in CACHING]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
