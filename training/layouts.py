"""The layouts in which people have photos and captions: a reader each, and what it is known by.

- Flickr8k as its authors publish it: `Flicker8k_Dataset/` and `Flickr8k_text/` (or its files without the folder),
  with the official split lists.
- Kaggle's form, good for captions of your own as well: `Images/` and `captions.txt`, a CSV with the header
  `image,caption`, or `image_name,comment_number,comment` as some copies of Flickr30k have it.
- Flickr30k as its authors publish it: `flickr30k-images/` and `results_20130124.token`.
- Flickr30k from Kaggle: `flickr30k_images/`, nested or not, and `results.csv` beside or inside it, separated by `|`.
- Karpathy's `dataset_*.json` with its split, "restval" counted as train. It lies beside the photos or in a folder of
  its own, and its photos in any folder they usually have. Who adds this file wants its split, so it goes before other
  caption files of the same directory.
- COCO's `captions_train*.json`, `captions_val*.json` and, if there is one, `captions_test*.json`, in `annotations/` or
  not. Train stays train. COCO publishes no captions of its test photos, so the val photos are drawn into two halves,
  dev and test: no test photo is one that somebody else's model was trained on. (Karpathy's `dataset_coco.json` has the
  split that papers use.) A single file is no split: it is drawn as for the forms below.
- A plain CSV, the only one with the header `image,caption`; `;`, tab or `|` may stand for the comma.
- JSON Lines: the only `*.jsonl` whose lines are `{"image": …, "caption": …}` or `{"image": …, "captions": […]}`.

In the last two an image is a path relative to the file's folder, to `Images/` or to `images/`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model.errors import DatasetError
from training.caption_files import (
    coco_lines,
    coco_split,
    first_line,
    json_lines,
    karpathy_lines,
    parse_json_line,
    read_names,
    table_form,
    table_lines,
    token_lines,
)
from training.listing import SPLITS, CaptionLine, Finder, LeftOut, Listing, leave_out, some

OTHER_FILE = "caption files without a photo"  # a reason, as those of training/caption_files.py are

# Where photos lie in what people download, beside their captions or one directory deeper.
FLICKR8K_FOLDERS = (
    "Flicker8k_Dataset/Flicker8k_Dataset",
    "Flickr8k_Dataset/Flicker8k_Dataset",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
)
FLICKR30K_FOLDERS = (
    "flickr30k_images/flickr30k_images",
    "flickr30k-images/flickr30k-images",
    "flickr30k_images",
    "flickr30k-images",
)
USUAL_FOLDERS = ("", "Images", "images", *FLICKR8K_FOLDERS, *FLICKR30K_FOLDERS)
# Where Karpathy's files lie beside photos: his archive is caption_datasets.zip.
KARPATHY_FOLDERS = ("", "annotations/", "caption_datasets/", "karpathy/", "karpathy_splits/")


def _any(_: Path) -> bool:
    return True


@dataclass(frozen=True)
class Need:
    """Files that a layout is known by: `text` names them, one of the globs must match one that `accepts` takes."""

    text: str
    globs: tuple[str, ...] = ()
    accepts: Callable[[Path], bool] = _any

    def candidates(self, root: Path) -> Iterator[Path]:
        """What lies under one of the names, accepted or not."""
        return (path for glob in self.globs or (self.text,) for path in sorted(root.glob(glob)))

    def files(self, root: Path) -> list[Path]:
        """What of it is accepted."""
        return [path for path in self.candidates(root) if self.accepts(path)]


@dataclass(frozen=True)
class Layout:
    """A way to lay out a dataset: the files it is known by, and its reader.

    One that `overrules` is read even where another fits the same directory.
    """

    name: str
    needs: tuple[Need, ...]
    read: Callable[[Path], Listing]
    overrules: bool = False

    def missing(self, root: Path) -> list[str]:
        """Name the needed files that `root` lacks."""
        return [need.text for need in self.needs if not need.files(root)]


# ---------------------------------------------------------------- what readers share


def _photo_folder(root: Path, folders: Iterable[str]) -> Finder:
    """A finder in the first of these folders that exists, which holds photos alone."""
    return Finder([next(root / folder for folder in folders if (root / folder).is_dir())], photos_alone=True)


def _finder_beside(path: Path) -> Finder:
    return Finder(path.parent / folder for folder in ("", "Images", "images"))


def _finder_everywhere(root: Path) -> Finder:
    deeper = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    folders = (place / folder for place in (root, *deeper) for folder in USUAL_FOLDERS)
    return Finder(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def _listing(
    read: Callable[[Path, Finder, LeftOut], Iterator[CaptionLine]], path: Path, finder: Finder, files: str = ""
) -> Listing:
    """A caption file without an official split."""
    left_out: LeftOut = {}
    lines = list(read(path, finder, left_out))
    return Listing(finder.photos(), lines, left_out=left_out, files=files)


def _only(files: list[Path], what: str) -> Path:
    if len(files) > 1:
        raise DatasetError(
            f"A dataset must have one {what}. Received: {some(path.name for path in files)} in {files[0].parent}. "
            "Join them into one, or move all but one elsewhere."
        )
    return files[0]


def _refuse_strangers(lines: Iterable[CaptionLine], finder: Finder, files: Iterable[Path], root: Path) -> None:
    photos = dict.fromkeys(line.photo.name for line in lines)
    if photos and not finder.found:
        raise DatasetError(
            "The photos that a caption file names must lie under the same directory. Received: none of the "
            f"{len(photos):,} of {some(path.name for path in files)} ({some(photos)}) is under {root}. "
            "Name the directory that holds both captions and photos, or move the photos there."
        )


# ---------------------------------------------------------------- readers, one per layout


def _read_flickr8k(root: Path) -> Listing:
    def text(name: str) -> Path:
        # Its authors' archive has no folder of its own: some unpack it in one, some do not.
        inside = root / "Flickr8k_text" / name
        return inside if inside.exists() else root / name

    finder, left_out = _photo_folder(root, FLICKR8K_FOLDERS), LeftOut()
    lines = list(token_lines(text("Flickr8k.token.txt"), finder, left_out))
    lists = {split: read_names(text(f"Flickr_8k.{split}Images.txt")) for split in SPLITS}
    split_lists = {split: [finder.find(name) for name in names] for split, names in lists.items()}
    return Listing(finder.photos(), lines, split_lists, left_out)


def _read_kaggle(root: Path) -> Listing:
    return _listing(table_lines, root / "captions.txt", Finder([root / "Images"], photos_alone=True))


def _read_flickr30k(root: Path) -> Listing:
    return _listing(token_lines, root / "results_20130124.token", _photo_folder(root, FLICKR30K_FOLDERS))


def _read_kaggle_flickr30k(root: Path) -> Listing:
    # Some copies have the captions twice, above the photos and beside them: the first is read.
    path, *_ = RESULTS.files(root)
    return _listing(table_lines, path, Finder(root / folder for folder in (*FLICKR30K_FOLDERS, "")))


def _read_karpathy(root: Path) -> Listing:
    finder, left_out = _finder_everywhere(root), LeftOut()
    files = {path: list(karpathy_lines(path, finder, left_out)) for path in KARPATHY_FILES.files(root)}
    kept = _with_photos(files, finder, root, left_out)
    path = _only(list(kept), "dataset_*.json whose photos are there")
    return _official(kept[path], finder, left_out, path.name)


def _read_coco(root: Path) -> Listing:
    finder, left_out = _finder_everywhere(root), LeftOut()
    files = {path: list(coco_lines(path, finder, left_out)) for path in COCO_FILES.files(root)}
    kept = _with_photos(files, finder, root, left_out)
    _refuse_rivals(list(kept), root)
    names = ", ".join(path.name for path in kept)
    return _official([line for lines in kept.values() for line in lines], finder, left_out, names)


def _read_csv(root: Path) -> Listing:
    path = _only(CSV_FILE.files(root), "CSV with the header image,caption")
    return _read_plain(table_lines, path)


def _read_json_lines(root: Path) -> Listing:
    path = _only(JSON_LINES.files(root), "JSON Lines file of images and captions")
    return _read_plain(json_lines, path)


def _read_plain(read: Callable[[Path, Finder, LeftOut], Iterator[CaptionLine]], path: Path) -> Listing:
    finder = _finder_beside(path)
    listing = _listing(read, path, finder, path.name)
    _refuse_strangers(listing.lines, finder, [path], path.parent)
    return listing


def _with_photos(
    files: dict[Path, list[CaptionLine]], finder: Finder, root: Path, left_out: LeftOut
) -> dict[Path, list[CaptionLine]]:
    """The caption files that some photo belongs to: people unpack more of them than they have photos for."""
    _refuse_strangers((line for lines in files.values() for line in lines), finder, files, root)
    kept = {path: lines for path, lines in files.items() if any(line.photo in finder.found for line in lines)}
    leave_out(left_out, OTHER_FILE, *(path.name for path in files if path not in kept))
    return kept or files


def _official(lines: list[CaptionLine], finder: Finder, left_out: LeftOut, files: str) -> Listing:
    found = [line for line in lines if line.split and line.photo in finder.found]
    lists = {split: list(dict.fromkeys(line.photo for line in found if line.split == split)) for split in SPLITS}
    named = {split: photos for split, photos in lists.items() if photos}
    return Listing(finder.photos(), lines, named if len(named) > 1 else None, left_out, files)


def _refuse_rivals(files: list[Path], root: Path) -> None:
    """Two years of COCO hold the same photos under other names, which would land in train and dev."""
    splits = [coco_split(path) for path in files]
    if len(files) > 1 and ("" in splits or len(set(splits)) < len(splits)):
        raise DatasetError(
            "COCO's caption files must be one for each split: captions_train*.json, captions_val*.json, "
            f"captions_test*.json. Received: {', '.join(path.relative_to(root).as_posix() for path in files)}. "
            "Move the others elsewhere."
        )


# ---------------------------------------------------------------- the layouts


def _has_columns(number: int) -> Callable[[Path], bool]:
    return lambda path: (table_form(path) or ("", 0))[1] == number


def _begins_with_record(path: Path) -> bool:
    return bool(parse_json_line(first_line(path)))


def _flickr8k_text(name: str) -> Need:
    return Need(f"Flickr8k_text/{name}", (f"Flickr8k_text/{name}", name))


RESULTS = Need(
    "results.csv with the header image_name| comment_number| comment",
    ("results.csv", *(f"{folder}/results.csv" for folder in FLICKR30K_FOLDERS[::-1]), "captions.txt"),
    _has_columns(3),
)
KARPATHY_FILES = Need("dataset_*.json", tuple(f"{folder}dataset_*.json" for folder in KARPATHY_FOLDERS))
COCO_FILES = Need("annotations/captions_*.json", ("annotations/captions_*.json", "captions_*.json"))
CSV_FILE = Need("*.csv with the header image,caption", ("*.csv",), _has_columns(2))
JSON_LINES = Need('*.jsonl with lines {"image": …, "caption": …}', ("*.jsonl",), _begins_with_record)

LAYOUTS = (
    Layout(
        "Flickr8k as published",
        (
            Need("Flicker8k_Dataset", FLICKR8K_FOLDERS),
            _flickr8k_text("Flickr8k.token.txt"),
            *(_flickr8k_text(f"Flickr_8k.{split}Images.txt") for split in SPLITS),
        ),
        _read_flickr8k,
    ),
    Layout("Kaggle form", (Need("Images"), Need("captions.txt")), _read_kaggle),
    Layout(
        "Flickr30k as published",
        (Need("flickr30k-images", FLICKR30K_FOLDERS), Need("results_20130124.token")),
        _read_flickr30k,
    ),
    Layout(
        "Flickr30k from Kaggle",
        (Need("flickr30k_images", (*FLICKR30K_FOLDERS, "*.jpg")), RESULTS),
        _read_kaggle_flickr30k,
    ),
    Layout("Karpathy's split", (KARPATHY_FILES,), _read_karpathy, overrules=True),
    Layout("COCO captions", (COCO_FILES,), _read_coco),
    Layout("plain CSV", (CSV_FILE,), _read_csv),
    Layout("JSON Lines", (JSON_LINES,), _read_json_lines),
)
