"""The forms of caption files: each is read into caption lines, and what cannot be used is named.

A file that is not what it must be raises DatasetError; a single line or record that is broken is left out.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from model.errors import DatasetError
from training.listing import CaptionLine, Finder, LeftOut, leave_out, some

# Why a line is left out. Each begins with a plural noun, which the summary knows how to make singular.
BROKEN_LINE = "lines without a photo and a caption"
BROKEN_RECORD = "records without a photo and a caption"

HEADERS = {"image,caption": 2, "image_name,comment_number,comment": 3}
SEPARATORS = ",|;\t"
SPLIT_NAMES = {"train": "train", "restval": "train", "val": "dev", "validation": "dev", "dev": "dev", "test": "test"}

Lines = Iterator[CaptionLine]
Pair = tuple[str, str]  # what the file calls the photo, and a caption


# ---------------------------------------------------------------- any text


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file, numbered from 1, without their ends. Raises DatasetError if it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as file:  # -sig: spreadsheets write a byte order mark
            yield from ((number, line.rstrip("\n")) for number, line in enumerate(file, start=1))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"A caption file must be readable UTF-8 text. Received: {path}. Check its permissions, or save it as UTF-8."
        ) from error


def first_line(path: Path) -> str:
    """The beginning of a file that may hold anything, for a look at what it is; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.readline(1_000_000).decode("utf-8-sig", errors="replace").strip()
    except OSError:
        return ""


def read_names(path: Path) -> list[str]:
    """A list of names, one a line."""
    return [line.strip() for _, line in text_lines(path) if line.strip()]


def _parse(
    path: Path, parse_line: Callable[[str], list[Pair]], finder: Finder, left_out: LeftOut, skip: int = 0
) -> Lines:
    for number, line in text_lines(path):
        if number <= skip or not line.strip():
            continue
        pairs = parse_line(line)
        if not pairs:
            leave_out(left_out, BROKEN_LINE, f"line {number} of {path.name}")
        for name, caption in pairs:
            photo = finder.find(name.strip(), name.strip().replace("\\", "/"))
            yield CaptionLine(photo, caption.strip(), f"{name.strip()} in line {number}")


# ---------------------------------------------------------------- tokens, as Flickr8k and Flickr30k are published


def token_lines(path: Path, finder: Finder, left_out: LeftOut) -> Lines:
    """`1000268201_693b08cb0e.jpg#0<tab>A child in a pink dress is climbing up a set of stairs .`"""
    return _parse(path, _parse_token_line, finder, left_out)


def _parse_token_line(line: str) -> list[Pair]:
    key, tab, caption = line.partition("\t")
    name, mark, _ = key.rpartition("#")
    return [(name, caption)] if tab and mark and name else []


# ---------------------------------------------------------------- tables


def table_form(path: Path) -> tuple[str, int] | None:
    """Separator and number of columns, told by the header; None if it is not a table of captions."""
    header = first_line(path).lower()
    for separator in SEPARATORS:
        names = ",".join(name.strip().strip('"') for name in header.split(separator))
        if names in HEADERS:
            return separator, HEADERS[names]
    return None


def table_lines(path: Path, finder: Finder, left_out: LeftOut) -> Lines:
    """A table with one of the headers. Raises DatasetError if it has another, or none."""
    form = table_form(path)
    if form is None:
        raise DatasetError(
            f"{path.name} must begin with the header image,caption. Received: {first_line(path)[:60]!r}. "
            "Add the header as its first line."
        )
    return _parse(path, lambda line: _parse_row(line, *form), finder, left_out, skip=1)


# 2199200615.jpg| 4   A dog runs across the grass .
_UNSEPARATED = re.compile(r"\s*(\d+)\s+(\D.*)")


def _parse_row(line: str, separator: str, columns: int) -> list[Pair]:
    cells = _cells(line, separator)
    if columns == 3 and not "".join(cells[2:]).strip() and (found := _UNSEPARATED.fullmatch("".join(cells[1:2]))):
        cells = [cells[0], *found.groups()]
    if len(cells) < columns or not cells[0].strip() or (columns == 3 and not cells[1].strip().isdecimal()):
        return []
    # A file name holds no separator, so further ones belong to a caption that somebody forgot to quote.
    return [(cells[0], separator.join(cells[columns - 1 :]))]


def _cells(line: str, separator: str) -> list[str]:
    if separator == "|":
        return line.split(separator)  # Flickr30k's captions hold quotation marks that quote nothing
    # A line is a record: read on its own, one unclosed quote cannot swallow the captions that follow it.
    try:
        return next(csv.reader([line], strict=True, delimiter=separator))
    except csv.Error:
        return []


# ---------------------------------------------------------------- JSON Lines


def json_lines(path: Path, finder: Finder, left_out: LeftOut) -> Lines:
    """`{"image": …, "caption": …}` or `{"image": …, "captions": […]}` a line."""
    return _parse(path, parse_json_line, finder, left_out)


def parse_json_line(line: str) -> list[Pair]:
    """The photo with each of its captions; empty if the line says anything else."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return []
    match record:
        case {"image": str(name), "caption": str(caption)} if name.strip():
            return [(name, caption)]
        case {"image": str(name), "captions": list(captions)} if name.strip() and all(map(_is_text, captions)):
            return [(name, caption) for caption in captions]
    return []


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


# ---------------------------------------------------------------- JSON, Karpathy's and COCO's


def read_json(path: Path) -> Any:
    """A JSON file's content. Raises DatasetError with line and column if it is none."""
    text = "\n".join(line for _, line in text_lines(path))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise DatasetError(
            f"{path.name} must be whole, valid JSON. Received: {place} of {path}. Download it again, or mend that line."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name} must be JSON. Received: {error} in {path}. Download it again.") from error


def karpathy_lines(path: Path, finder: Finder, left_out: LeftOut) -> Lines:
    """`{"images": [{"filename", "filepath" (perhaps), "split", "sentences": [{"raw"}]}]}`"""
    for index, image in enumerate(_list_in(read_json(path), "images", path)):
        match image:
            case {"filename": str(name), "sentences": list(sentences)}:
                photo = finder.find(f"{image.get('filepath') or '.'}/{name}", name)
                split, label = SPLIT_NAMES.get(str(image.get("split")), ""), f"{name} in images[{index}]"
                captions = [said["raw"] for said in sentences if isinstance(said, dict) and _is_text(said.get("raw"))]
                yield from (CaptionLine(photo, caption.strip(), label, split) for caption in captions)
                broken = len(sentences) - len(captions)
            case _:
                broken = 1
        leave_out(left_out, BROKEN_RECORD, *[f"images[{index}] of {path.name}"] * broken)


def coco_lines(path: Path, finder: Finder, left_out: LeftOut) -> Lines:
    """`{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}`, photos in a folder a split."""
    data, folder, split = read_json(path), path.stem.removeprefix("captions_"), coco_split(path)
    names = _coco_names(_list_in(data, "images", path), path, left_out)
    for index, annotation in enumerate(_list_in(data, "annotations", path)):
        match annotation:
            case {"image_id": int(key) | str(key), "caption": str(caption)} if key in names:
                photo = finder.find(f"{folder}/{names[key]}", names[key])
                yield CaptionLine(photo, caption.strip(), f"{names[key]} in annotations[{index}]", split)
            case _:
                leave_out(left_out, BROKEN_RECORD, f"annotations[{index}] of {path.name}")


def coco_split(path: Path) -> str:
    """The split that the name tells, such as "dev" of captions_val2017.json; empty if it tells none."""
    return SPLIT_NAMES.get(path.stem.removeprefix("captions_").rstrip("0123456789_-"), "")


def _coco_names(images: list[Any], path: Path, left_out: LeftOut) -> dict[int | str, str]:
    names: dict[int | str, str] = {}
    for index, image in enumerate(images):
        match image:
            case {"id": int(key) | str(key), "file_name": str(name)}:
                names[key] = name
            case _:
                leave_out(left_out, BROKEN_RECORD, f"images[{index}] of {path.name}")
    return names


def _list_in(data: Any, key: str, path: Path) -> list[Any]:
    values = data.get(key) if isinstance(data, dict) else None
    if not isinstance(values, list):
        received = some(data, 6) if isinstance(data, dict) else type(data).__name__
        raise DatasetError(
            f'{path.name} must hold {{"{key}": […]}}. Received: {received or "nothing"} in {path}. '
            "Take the file as it is published, or move it elsewhere."
        )
    return values
