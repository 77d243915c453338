"""`python -m model photo.jpg …`: a caption a line; `python -m model FOLDER --output captions.csv`: a folder's."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from model.bulk import caption_photos, find_photos
from model.checksums import verify
from model.config import MAX_BEAM_WIDTH
from model.errors import CaptionerError, ImageError, SettingsError
from model.quiet import quiet_import
from model.rows import FORMATS, RowWriter, format_for, open_rows

if TYPE_CHECKING:
    from model.bulk import Outcome


def main(arguments: list[str] | None = None) -> int:
    """Caption every photo; returns 0, 1 if some photo could not be read, 2 if nothing could be done."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # captions alone belong on the terminal
    try:
        photos = find_photos(options.photos, options.recursive)
        with _open(options) as (writer, done):
            return _caption_all(options, [photo for photo in photos if str(photo) not in done], writer)
    except CaptionerError as exc:
        print(f"python -m model: {exc}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("python -m model: stopped; what is written stays, and --resume goes on from there", file=sys.stderr)
        return 130


def _caption_all(options: argparse.Namespace, photos: list[Path], writer: RowWriter) -> int:
    failed = 0
    with tqdm(total=len(photos), unit="photo", disable=options.output is None) as bar:
        for photo, outcome in _outcomes(options, photos):
            if isinstance(outcome, ImageError):
                bar.write(f"{photo}: {outcome}", file=sys.stderr)
                failed += 1
            else:
                writer.write(photo, outcome)
            bar.update()
    if options.output is not None:
        print(f"{len(photos) - failed} captioned, {failed} failed: {options.output}", file=sys.stderr)
    return int(failed > 0)


def _outcomes(options: argparse.Namespace, photos: list[Path]) -> "Iterator[Outcome]":
    if not photos:
        return iter(())
    verify(options.artifacts)  # before the seconds that the import takes
    with quiet_import():
        from model.captioner import CaptionGenerator
    captioner = CaptionGenerator.load(options.artifacts)
    width = max(options.beam_width or captioner.beam_width, options.num_captions)
    return caption_photos(captioner, photos, options.num_captions, width)


@contextmanager
def _open(options: argparse.Namespace) -> Iterator[tuple[RowWriter, set[str]]]:
    kind = options.format or format_for(options.output)
    if options.output is None:
        if options.resume:
            raise SettingsError("--resume goes on with a file: name it with --output FILE")
        yield RowWriter(sys.stdout, kind), set()
        return
    file, done, empty = open_rows(options.output, kind, options.resume)
    with file:
        yield RowWriter(file, kind, header=empty), done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model", description="Caption photos, a line each.")
    parser.add_argument(
        "photos", nargs="+", type=Path, metavar="PHOTO", help="JPEG, PNG, WebP, GIF or BMP, or a folder of them"
    )
    parser.add_argument("--recursive", action="store_true", help="folders within folders too")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there, with a progress bar on the terminal")
    parser.add_argument("--resume", action="store_true", help="go on with FILE: skip the photos it holds already")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="text (captions alone), csv (a line a caption), jsonl (a JSON object a photo); else FILE's ending decides",
    )
    parser.add_argument("--json", action="store_const", const="jsonl", dest="format", help="the same as --format jsonl")
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
