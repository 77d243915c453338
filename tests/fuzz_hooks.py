"""What schemathesis is not told by the document: what a photo looks like, and which options go together."""

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext

from tests.pictures import corners, encode, noise
from web.uploads import FIELDS

DEFAULT_BEAM = 4  # of the artifact in tests/bundles.py

for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
    photos = [encode(corners(), form), encode(noise(30, 40), form), encode(corners(1, 1), form)]
    schemathesis.openapi.media_type(f"image/{form.lower()}", strategies.sampled_from(photos))


@schemathesis.hook
def filter_case(context: HookContext, case: Case) -> bool:
    """Of the cases that should succeed, leave out what only the descriptions forbid.

    That is an option given twice, and more captions than the beam is wide; and a photo under both its names, which
    the schema does forbid, but the coverage phase does not heed its `oneOf`.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return True
    query, form = dict(case.query or {}), case.body
    twice = any(str(query[name]) != str(form[name]) for name in query.keys() & form.keys())
    given = {**query, **form}
    fits = int(given.get("num_captions", 1)) <= int(given.get("beam_width", DEFAULT_BEAM))
    return fits and not twice and not form.keys() >= set(FIELDS)
