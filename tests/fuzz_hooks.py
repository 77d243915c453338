"""What schemathesis is not told by the document: what a photo looks like, and which options go together."""

from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext

from tests.pictures import corners, encode, noise
from web.schemas import OPTIONS
from web.uploads import FIELDS

DEFAULT_BEAM = 4  # of the artifact in tests/bundles.py

for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
    photos = [encode(corners(), form), encode(noise(30, 40), form), encode(corners(1, 1), form)]
    schemathesis.openapi.media_type(f"image/{form.lower()}", strategies.sampled_from(photos))


@schemathesis.hook
def filter_case(context: HookContext, case: Case) -> bool:
    """Leave out what is right or wrong by the descriptions only, or is the same on its way as something else.

    A form has no lists: one of a single item is that item. And `0` and `1` stand for `false` and `true`.
    """
    query, form = dict(case.query or {}), case.body if isinstance(case.body, dict) else {}
    if case.meta is not None and case.meta.generation.mode.is_positive:
        return _goes_together(query, form)
    given = [(name, each[name]) for each in (query, form) for name in OPTIONS.keys() & each.keys()]
    return not any(isinstance(value, list) or _is_truth(name, value) for name, value in given)


def _is_truth(name: str, value: object) -> bool:
    return OPTIONS[name]["type"] == "boolean" and str(value) in ("0", "1")


def _goes_together(query: dict[str, Any], form: dict[str, Any]) -> bool:
    """No option given twice, and no more captions than the beam is wide.

    Nor a photo under both its names, which the schema does forbid, but the coverage phase does not heed its `oneOf`.
    """
    twice = any(str(query[name]) != str(form[name]) for name in query.keys() & form.keys())
    given = {**query, **form}
    fits = int(given.get("num_captions", 1)) <= int(given.get("beam_width", DEFAULT_BEAM))
    return fits and not twice and not form.keys() >= set(FIELDS)
