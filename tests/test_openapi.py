"""Laws of the OpenAPI document: it is valid, it leaves nothing out, and real answers are what it says."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app import create_app
from model.captioner import CaptionGenerator
from model.errors import ImageError, UnreadableFile
from tests.bundles import CONFIDENCE, untrained
from tests.pictures import corners, encode
from web.codes import CODES, table
from web.openapi import describe
from web.schemas import OPTIONS, SCHEMAS
from web.settings import Settings

API = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
DOCUMENT = describe(Settings())
PHOTO = encode(corners(), "PNG")


@pytest.fixture(scope="module", params=[{}, {"confidence": CONFIDENCE}, {"kind": "merge"}], ids=str)
def client(request: pytest.FixtureRequest) -> FlaskClient:
    return create_app(Settings(max_upload_mb=1), CaptionGenerator(untrained(**request.param))).test_client()


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(Settings(), CaptionGenerator(untrained()))


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    """Where `value` is not what `schema` says, a part of the document."""
    rooted = {**schema, "components": DOCUMENT["components"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(rooted).iter_errors(value)]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def codes_of(answer: dict[str, Any]) -> list[str]:
    codes = answer["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"]
    return list(codes)


def test_it_is_valid_openapi_and_what_the_server_sends(app: Flask) -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")
    answer = app.test_client().get("/openapi.json")
    assert answer.mimetype == "application/json" and answer.get_json() == DOCUMENT


def test_it_has_every_address_and_method_and_no_other(app: Flask) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations()} == served


def test_it_has_every_code_with_its_status() -> None:
    told = {"not_found", "method_not_allowed"}  # of addresses and methods that are not in it
    for _, _, operation in operations():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                told.update(codes_of(answer))
                assert {str(CODES[code].status.value) for code in codes_of(answer)} == {status}
    assert told == set(CODES)


def test_every_error_of_a_picture_has_a_code() -> None:
    kinds: list[type[ImageError]] = [ImageError, *ImageError.__subclasses__()]
    assert {kind.code for kind in kinds} - {UnreadableFile.code} == set(CODES) & {kind.code for kind in kinds}


@pytest.mark.parametrize(
    "asked", [{}, {"return_image": "1"}, {"num_captions": "1"}, {"return_attention": "1"}], ids=str
)
def test_real_answers_are_what_it_says(client: FlaskClient, asked: dict[str, str]) -> None:
    answers = DOCUMENT["paths"]["/predict"]["post"]["responses"]
    for _ in range(2):  # the second one from the cache
        answer = client.post("/predict", data={"image": (io.BytesIO(PHOTO), "a.png"), **asked})
        (content,) = answers[str(answer.status_code)]["content"].values()
        assert faults(answer.get_json(), content["schema"]) == []
    assert faults(client.get("/health").get_json(), SCHEMAS["Health"]) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Range": "bytes=0-9"}, 206), ({"Range": "bytes=999999-"}, 400), ({"If-None-Match": "*"}, 304)],
    ids=str,
)
def test_a_file_is_answered_as_it_says(app: Flask, headers: dict[str, str], status: int) -> None:
    answer = app.test_client().get("/static/icon.svg", headers=headers, buffered=True)
    told = DOCUMENT["paths"]["/static/{filename}"]["get"]["responses"][str(status)]
    assert answer.status_code == status and told["headers"].keys() <= set(answer.headers.keys())


def test_a_wrong_answer_is_not_what_it_says() -> None:
    (example,) = SCHEMAS["Answer"]["examples"]
    assert faults(example, SCHEMAS["Answer"]) == []
    changes: list[dict[str, Any]] = [{"caption": 3}, {"confidence": 2}, {"captions": []}, {"secret": "x"}]
    assert all(faults({**example, **change}, SCHEMAS["Answer"]) for change in changes)


def test_its_limits_are_those_of_the_settings() -> None:
    about = describe(Settings(max_upload_mb=3, deadline_seconds=7, rate_limit="5/minute"))["info"]["description"]
    assert "3 MB" in about and "7 seconds" in about and "5 photos in 60 s" in about
    assert "A client may send" not in DOCUMENT["info"]["description"]


def test_the_tables_in_the_docs_are_the_code() -> None:
    start = API.index("| `code` | status | when |")
    assert API[start:].partition("\n\n")[0].splitlines()[2:] == table(), "copy what web.codes.table() gives"
    start = API.index("| option | default | meaning |")
    assert re.findall(r"^\| `(\w+)`", API[start:].partition("\n\n")[0], re.MULTILINE) == list(OPTIONS)


def test_the_page_tells_all_of_it_and_loads_nothing_from_elsewhere(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/docs").text
    for path, method, operation in operations():
        assert f"<code>{method.upper()} {path}</code> <span>{operation['summary']}</span>" in page
    for anchor in (*SCHEMAS, *CODES):
        assert page.count(f'id="{anchor}"') == 1
    for target in re.findall(r'href="#(\w+)"', page):
        assert f'id="{target}"' in page
    for address in re.findall(r'(?:src|href|action)="([^#"][^"]*)"', page):
        assert address.startswith("/") and client.get(address, buffered=True).status_code == 200
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script", page)
