"""What the reader of a layout hands over: captions, the photos they speak of, and an account of what it left out."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from model.errors import DatasetError

SPLITS = ("train", "dev", "test")

LeftOut = dict[str, list[str]]

# Suffixes that make a file a photo where photos share their folder with other files.
PICTURES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif")
)


@dataclass(frozen=True, slots=True)
class CaptionLine:
    """A caption, the photo it speaks of, and the official split if the file names one.

    `label` names photo and line for the report; `photo` may be a file that is not there.
    """

    photo: Path
    caption: str
    label: str
    split: str = ""


@dataclass(frozen=True)
class Listing:
    """What a reader found: every photo file, who says what of them, and the official split if any.

    An official split without "dev", or without "test", means that the photos of the other are for both. `files` names
    the caption files where the layout's own name does not.
    """

    photos: list[Path]
    lines: list[CaptionLine]
    split_lists: dict[str, list[Path]] | None = None
    left_out: LeftOut = field(default_factory=dict)
    files: str = ""


class Finder:
    """Finds photos by what a caption file calls them: a path relative to one of `folders`, the first that has it.

    In folders of photos alone every file counts as a photo. In others a file counts if it was found for a caption,
    or lies beside one that was and has the suffix of a picture.
    """

    def __init__(self, folders: Iterable[Path], photos_alone: bool = False) -> None:
        self._folders = list(folders)
        self._photos_alone = photos_alone
        self._files: dict[tuple[Path, str], dict[str, Path]] = {}
        self._answers: dict[tuple[str, ...], Path] = {}
        self.found: set[Path] = set()

    def find(self, *references: str) -> Path:
        """The photo by the first reference that leads to a file; else a path where there is none."""
        if references not in self._answers:
            matches = (self._match(folder, reference) for reference in references for folder in self._folders)
            photo = next((match for match in matches if match), None)
            self._answers[references] = photo or self._folders[0] / references[0]
            self.found |= {photo} if photo else set()
        return self._answers[references]

    def photos(self) -> list[Path]:
        """Every photo file, sorted; to be asked once all captions have been looked up."""
        folders = {path.parent for path in self.found} | set(self._folders if self._photos_alone else ())
        beside = (path for folder in folders for path in self._files_of(folder, "").values())
        return sorted(self.found | {path for path in beside if self._photos_alone or path.suffix.lower() in PICTURES})

    def _match(self, folder: Path, reference: str) -> Path | None:
        directory, _, name = reference.rpartition("/")
        if reference.startswith("/") or ".." in PurePosixPath(directory).parts:
            return None  # a dataset is one directory: a caption file cannot reach out of it
        return self._files_of(folder, directory).get(name)

    def _files_of(self, folder: Path, directory: str) -> dict[str, Path]:
        if (folder, directory) not in self._files:
            self._files[folder, directory] = _files_of(folder / directory)
        return self._files[folder, directory]


def _files_of(folder: Path) -> dict[str, Path]:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file() and entry.name[0] != "."]
    except PermissionError as error:
        raise DatasetError(
            f"A folder of photos must be readable. Received: {folder}. Check its permissions."
        ) from error
    except (OSError, ValueError):  # no folder of that name, or none that could ever have it
        return {}
    return {name: folder / name for name in names}


def leave_out(left_out: LeftOut, reason: str, *names: str) -> None:
    """Put names on the account, under the reason why they are not used."""
    left_out.setdefault(reason, []).extend(names)


def some(names: Iterable[str], most: int = 3) -> str:
    """The first names, and an ellipsis if there are more."""
    names = list(names)
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
