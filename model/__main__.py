"""`python -m model photo.jpg …`: a caption a line."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.checksums import verify
from model.config import MAX_BEAM_WIDTH
from model.errors import CaptionerError, ImageError
from model.quiet import quiet_import

if TYPE_CHECKING:
    from model.captioner import Caption


def main(arguments: list[str] | None = None) -> int:
    """Caption every photo; returns 0, 1 if some photo could not be read, 2 if nothing could be done."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # captions alone belong on the terminal
    try:
        verify(options.artifacts)  # before the seconds that the import takes
        with quiet_import():
            from model.captioner import CaptionGenerator
        captioner = CaptionGenerator.load(options.artifacts)
    except CaptionerError as exc:
        print(f"python -m model: {exc}", file=sys.stderr)
        return 2
    width = max(options.beam_width or captioner.beam_width, options.num_captions)
    failed = False
    for photo in options.photos:
        try:
            captions = captioner.caption(photo, options.num_captions, width)
        except ImageError as exc:
            print(f"{photo}: {exc}", file=sys.stderr)
            failed = True
            continue
        if options.json:
            print(json.dumps(_answer(photo, captions), ensure_ascii=False))
        else:
            for caption in captions:
                print(caption.text)
    return int(failed)


def _answer(photo: Path, captions: "tuple[Caption, ...]") -> dict[str, Any]:
    rows = [
        {"caption": one.text, "confidence": one.confidence, "log_probability": one.log_probability} for one in captions
    ]
    return {"file": str(photo), "caption": rows[0]["caption"], "confidence": rows[0]["confidence"], "captions": rows}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model", description="Caption photos, a line each.")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="JPEG, PNG, WebP, GIF or BMP")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, with confidences")
    parser.add_argument(
        "--beam-width", type=_width, help=f"1 (greedy) to {MAX_BEAM_WIDTH}; the artifact's own unless given"
    )
    parser.add_argument("--num-captions", type=_width, default=1, help="captions of each photo, best first")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="folder of the trained model")
    return parser


def _width(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MAX_BEAM_WIDTH:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_BEAM_WIDTH}, not {value}")
    return value


if __name__ == "__main__":
    sys.exit(main())
