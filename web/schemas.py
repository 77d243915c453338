"""The bodies of requests and answers, as JSON schemas for `web/openapi.py`."""

from typing import Any

from model.config import MAX_BEAM_WIDTH
from web.codes import CODES
from web.preview import LONGEST_EDGE
from web.uploads import DEFAULT_CAPTIONS, FIELDS

Schema = dict[str, Any]


def reference(name: str, description: str = "") -> Schema:
    """To a schema of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}", **({"description": description} if description else {})}


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _number(description: str, **more: Any) -> Schema:
    return {"type": "number", "description": description, **more}


def _whole(description: str, minimum: int = 1, **more: Any) -> Schema:
    return {"type": "integer", "description": description, "minimum": minimum, **more}


def _truth(description: str, **more: Any) -> Schema:
    return {"type": "boolean", "description": description, **more}


def _list(items: Schema, description: str, **more: Any) -> Schema:
    return {"type": "array", "items": items, "description": description, **more}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None, **more: Any) -> Schema:
    """An object with these members and no others."""
    members = {**required, **(optional or {})}
    return {
        "type": "object",
        "properties": members,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


OPTIONS = {
    "num_captions": _whole(
        "Captions to return, at most as many as the beam is wide.", maximum=MAX_BEAM_WIDTH, default=DEFAULT_CAPTIONS
    ),
    "beam_width": _whole(
        "How wide to search, 1 being greedy; the model's own width unless given. Wider is slower.",
        maximum=MAX_BEAM_WIDTH,
    ),
    "return_image": _truth("`true` (or `1`) sends the photo back as a small JPEG.", default=False),
    "return_attention": _truth("`true` (or `1`) tells where the network looked for each word.", default=False),
}

_PHOTO = {
    "type": "string",
    "contentMediaType": "application/octet-stream",
    "description": "The photo: JPEG, PNG, WebP, GIF (its first frame) or BMP. Its content decides, not its name.",
}
_ALIAS = {**_PHOTO, "description": f"Another name for `{FIELDS[0]}`; give one of the two."}
_FORMATS = ", ".join(f"image/{each}" for each in ("jpeg", "png", "webp", "gif", "bmp"))
PHOTO_FORM: Schema = {
    "schema": {
        "type": "object",
        "properties": {**dict(zip(FIELDS, (_PHOTO, _ALIAS), strict=True)), **OPTIONS},
        "oneOf": [{"required": [field]} for field in FIELDS],
    },
    "encoding": {field: {"contentType": _FORMATS} for field in FIELDS},
}

_CONFIDENCE = {
    "type": ["number", "null"],
    "minimum": 0,
    "maximum": 1,
    "description": "Share of captions by people that this one probably surpasses; null where the model cannot say.",
}
_CAPTION = "A sentence in small letters, without its full stop."
_EXAMPLE = {"caption": "a dog runs through the grass", "confidence": 0.63, "log_probability": -6.1}
_MODEL_EXAMPLE = {
    **{"name": "captioner", "version": "2", "encoder": "resnet50", "decoder": "attention", "vocabulary": 2992},
    **{"beam_width": 5, "length_penalty": 1.1, "attention": True},
}

SCHEMAS: dict[str, Schema] = {
    "Answer": _object(
        {
            "caption": _text("The best caption."),
            "confidence": {**_CONFIDENCE, "description": "That of the best caption."},
            "captions": _list(
                reference("Caption"), "The best and the others, best first.", minItems=1, maxItems=MAX_BEAM_WIDTH
            ),
            "cached": _truth("Whether the same picture was asked about in the same way before."),
            "model": reference("Model", "Which model said so."),
            "seconds": reference("Seconds", "How long it took."),
        },
        {
            "attention": reference("Attention", "Of the best caption, where `return_attention` asked for it."),
            "image": _text(
                f"A data URL, where `return_image` asked for it: at most {LONGEST_EDGE} pixels wide and high.",
                pattern="^data:image/jpeg;base64,",
            ),
        },
        description="What the network says about a photo.",
        examples=[
            {
                **{"caption": "a dog runs through the grass", "confidence": 0.63, "captions": [_EXAMPLE]},
                **{"cached": False, "model": _MODEL_EXAMPLE},
                "seconds": {"decode": 0.002, "encode": 0.05, "search": 0.04, "total": 0.1},
            }
        ],
    ),
    "Caption": _object(
        {
            "caption": _text(_CAPTION),
            "confidence": _CONFIDENCE,
            "log_probability": _number("Sum over its words, natural logarithm: nearer to 0 is surer."),
        },
        description="One way to put it.",
    ),
    "Attention": _object(
        {
            "grid": _list(
                {"type": "integer", "minimum": 1}, "Rows and columns of cells over the photo.", minItems=2, maxItems=2
            ),
            "words": _list(reference("Word"), "In order, spelled as in the caption."),
        },
        description="Where the network looked.",
    ),
    "Word": _object(
        {
            "word": _text("As in the caption; a clitic such as `'s` is a word of its own."),
            "weights": _list(
                {"type": "number", "minimum": 0, "maximum": 1},
                "One for each cell, row by row from the upper left; they sum to 1.",
            ),
        },
        description="Where it looked for one word.",
    ),
    "Model": _object(
        {
            "name": _text("What it is called."),
            "version": _text("Which one of that name."),
            "encoder": _text("The network that sees."),
            "decoder": _text("The kind of network that writes.", enum=["attention", "merge"]),
            "vocabulary": _whole("Words that it knows."),
            "beam_width": _whole("How wide it searches unless asked otherwise.", maximum=MAX_BEAM_WIDTH),
            "length_penalty": _number("How much longer captions are favoured."),
            "attention": _truth("Whether it can tell where it looked."),
        },
        description="The model behind this server.",
    ),
    "Seconds": _object(
        {"total": _number("All of it, and the wait for photos before this one.", minimum=0)},
        {
            "decode": _number("From file to pixels.", minimum=0),
            "encode": _number("From pixels to features.", minimum=0),
            "search": _number("From features to captions.", minimum=0),
            "attention": _number("Where it looked, if asked for.", minimum=0),
        },
        description="What each part took; of a cached answer only what was done.",
    ),
    "Health": _object(
        {
            "status": _text("Always this word.", const="healthy"),
            "device": _text("Where the network computes.", enum=["cpu", "gpu"]),
            "model": reference("Model", "Which model would answer."),
        },
        description="A server that can caption.",
    ),
    "Problem": _object(
        {
            "type": _text("Always this.", const="about:blank"),
            "title": _text("The status in words."),
            "status": _whole("That of the answer.", minimum=400, maximum=599),
            "detail": _text("What is wrong and what to do about it, for people."),
            "instance": _text("The request's id, as in `X-Request-ID` and in the server's log."),
            "code": _text("What is wrong, for programs.", enum=list(CODES)),
            "error": _text("The same as `detail`."),
        },
        description="An error, as RFC 9457 has it.",
    ),
}
