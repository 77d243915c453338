"""Captions as lines of text, CSV or JSON, in a file that an interrupted run can go on with."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from model.errors import SettingsError

if TYPE_CHECKING:
    from model.captioner import Caption

Format = Literal["text", "csv", "jsonl"]
FORMATS: tuple[Format, ...] = ("text", "csv", "jsonl")
_COLUMNS = ("file", "caption", "confidence", "log_probability")
# Names of files are bytes, which need not be text: what was read so is written as it was.
_ENCODING: Any = {"encoding": "utf-8", "errors": "surrogateescape"}


def format_for(path: Path | None) -> Format:
    """What the name of an output file asks for."""
    suffix = path.suffix.lower() if path else ""
    return {".csv": "csv", ".jsonl": "jsonl"}.get(suffix, "text")  # type: ignore[return-value]


class RowWriter:
    """Writes the captions of one photo at a time: a line of JSON a photo; in CSV and text a line a caption."""

    def __init__(self, file: IO[str], kind: Format, header: bool = True) -> None:
        self._file, self._kind, self._csv = file, kind, csv.writer(file, lineterminator="\n")
        if kind == "csv" and header:
            self._csv.writerow(_COLUMNS)

    def write(self, photo: Path, captions: "Sequence[Caption]") -> None:
        """`captions` come best first; every line is out when this returns."""
        if self._kind == "jsonl":
            self._file.write(json.dumps(_answer(photo, captions), ensure_ascii=False) + "\n")
        elif self._kind == "csv":
            self._csv.writerows((photo, one.text, one.confidence, one.log_probability) for one in captions)
        else:
            self._file.writelines(one.text + "\n" for one in captions)
        self._file.flush()


def open_rows(path: Path, kind: Format, resume: bool) -> tuple[IO[str], set[str], bool]:
    """The file to append to, the photos it holds already, and whether it is empty.

    A last line that an interrupted run left unfinished is dropped. Raises SettingsError where there is something in
    the file and `resume` is not given, or it is of another kind, or it cannot be written.
    """
    try:
        text = path.read_bytes().decode(**_ENCODING) if path.exists() else ""
        if text and not resume:
            raise SettingsError(f"{path} must not exist yet: add --resume to go on with it, or name another file")
        whole = text[: text.rfind("\n") + 1]
        done = _photos_in(text, whole, kind) if text else set()
        file = path.open("a", newline="", **_ENCODING)
        file.truncate(len(whole.encode(**_ENCODING)))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise SettingsError(f"{path} must be a {kind} file of captions that can be written ({exc})") from exc
    return file, done, not whole


def _photos_in(text: str, whole: str, kind: Format) -> set[str]:
    """Raises ValueError, KeyError or TypeError for what no `RowWriter` wrote."""
    if kind == "text":
        raise SettingsError("--resume needs --format csv or jsonl: lines of text do not say which photos they are of")
    start = ",".join(_COLUMNS) + "\n" if kind == "csv" else '{"file": '
    if not (text.startswith(start) or start.startswith(text)):
        raise ValueError(f"it should begin with {start.strip()}")
    lines = io.StringIO(whole, newline="")
    rows = csv.DictReader(lines) if kind == "csv" else map(json.loads, lines)
    return {row["file"] for row in rows}


def _answer(photo: Path, captions: "Sequence[Caption]") -> dict[str, Any]:
    rows = [
        {"caption": one.text, "confidence": one.confidence, "log_probability": one.log_probability} for one in captions
    ]
    return {"file": str(photo), "caption": rows[0]["caption"], "confidence": rows[0]["confidence"], "captions": rows}
