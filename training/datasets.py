"""A directory of photos and captions → the photos of each split, and an account of what was left out.

    python training/datasets.py DIR        says what DIR holds and what is wrong with it, and changes nothing

`training/layouts.py` lists the layouts that are known, by their files, in DIR itself or one directory deeper. An
official split is kept. Where there is none it is drawn by photo, with the seed: 80 % train, 10 % dev, 10 % test; where
only dev or only test is missing, the other is drawn into two halves. `write_split` writes any split down, and
`load_dataset(…, split_file=…)` takes it instead of any other.

Nothing drops out uncounted: whatever a reader or the checks leave out is named under its reason.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

if not __package__:  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from model.errors import DatasetError, ImageError
from model.image import check_file
from model.tokenizer import Tokenizer
from training import splits
from training.caption_files import first_line
from training.layouts import LAYOUTS, Layout
from training.listing import SPLITS, LeftOut, Listing, leave_out, some

WHERE_TO_GET = (
    "Flickr8k: ask its authors by the form at https://forms.illinois.edu/sec/1713398, "
    "or download https://www.kaggle.com/datasets/adityajn105/flickr8k. "
    "Flickr30k: ask by the form at https://shannon.cs.illinois.edu/DenotationGraph/, "
    "or download https://www.kaggle.com/datasets/hsankesara/flickr-image-dataset"
)

# Why something is left out. Each begins with a plural noun, which the summary knows how to make singular.
NO_FILE = "caption lines whose photo is missing"
NO_WORDS = "captions without a word"
UNREADABLE = "photos that cannot be decoded"
LISTED_MISSING = "photos of a split list that are missing"
LISTED_TWICE = "photos named twice in one split list"
UNCAPTIONED = "photos without a caption"
UNLISTED = "photos in no split list"

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar")
OFTEN = 5  # a word enters the vocabulary by default if the training captions hold it this often


@dataclass(frozen=True)
class Photo:
    """One photo: `captions` are its sentences as people wrote them.

    `name` is its file name; its path from the dataset's root where photos in two folders share their file name.
    """

    name: str
    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """Usable photos by split ("train", "dev", "test"), and what was left out: reason → names.

    `split_note` says where the splits come from, unless they are the official ones as they stand.
    """

    layout: str
    root: Path
    splits: dict[str, list[Photo]]
    left_out: LeftOut
    split_note: str = ""

    def summary(self) -> str:
        """One line: layout, photos, captions, splits, and what was left out."""
        photos = [photo for split in self.splits.values() for photo in split]
        captions = sum(len(photo.captions) for photo in photos)
        sizes = ", ".join(f"{name} {len(split):,}" for name, split in self.splits.items())
        sizes += f" ({self.split_note})" if self.split_note else ""
        left_out = _counts(self.left_out) or "nothing"
        return f"{self.layout}: {len(photos):,} photos, {captions:,} captions; {sizes}; left out: {left_out}"

    def statistics(self) -> str:
        """Two lines: captions and words, and how many words a training would see."""
        captions = [len(photo.captions) for split in self.splits.values() for photo in split]
        words = {
            split: [Tokenizer.split(said) for photo in self.splits[split] for said in photo.captions]
            for split in SPLITS
        }
        lengths = [len(caption) for split in words.values() for caption in split]
        seen = Counter(word for caption in words["train"] for word in caption)
        return (
            f"captions per photo: {min(captions)} to {max(captions)}, {_mean(captions)} on average; "
            f"words per caption: up to {max(lengths)}, {_mean(lengths)} on average\n"
            f"words in the train captions: {len(seen):,} distinct, "
            f"{sum(count >= OFTEN for count in seen.values()):,} of them seen at least {OFTEN} times"
        )

    def report_left_out(self) -> str:
        """Every name that was left out, a line each, under its reason; empty if nothing was."""
        return "\n".join(
            line for reason, names in self.left_out.items() for line in (f"{reason}: {len(names):,}", *names)
        )


def load_dataset(root: str | Path, *, seed: int = 0, split_file: str | Path | None = None) -> Dataset:
    """Read the dataset under `root`.

    `split_file`, as `write_split` wrote it, decides who is in which split; else an official split is kept; else
    `seed` draws one. Raises DatasetError if no layout fits, a caption file cannot be read, splits overlap, or one
    is empty.
    """
    layout, place = _find_layout(Path(root))
    listing = layout.read(place)
    left_out = {reason: list(names) for reason, names in listing.left_out.items()}
    names = _unique_names(listing.photos, place)
    captions = _captions_of_photos(listing, names, left_out)
    split_names, note = _split_names(_lists(listing, names, split_file), captions, left_out, seed)
    if split_file:
        note = f"as written in {Path(split_file).name}"
    parts = _photos(split_names, names, captions)
    name = f"{layout.name} ({listing.files})" if listing.files else layout.name
    left_out = {reason: names for reason, names in left_out.items() if names}
    dataset = Dataset(name, place, parts, left_out, note)
    _refuse_empty(dataset)
    return dataset


def write_split(dataset: Dataset, path: str | Path) -> None:
    """Write who is in which split, so that `load_dataset(…, split_file=path)` gives the same splits again.

    The file is JSON: {"train": [names], "dev": [names], "test": [names]}. Raises ArtifactError if it cannot be written.
    """
    splits.write({split: [photo.name for photo in photos] for split, photos in dataset.splits.items()}, Path(path))


def write_drawn_split(dataset: Dataset, folder: Path) -> None:
    """Tell evaluation which photos were held back, in `split.json`; an official split says so itself."""
    if dataset.split_note:
        write_split(dataset, folder / splits.FILE)


# ---------------------------------------------------------------- which layout


def _find_layout(root: Path) -> tuple[Layout, Path]:
    if not root.is_dir():
        raise DatasetError(f"A dataset must be a directory. Received: {str(root)!r}. {_elsewhere(root)}{WHERE_TO_GET}.")
    for places in ([root], _directories(root)):
        found = [(layout, place) for place in places for layout in _fitting(place)]
        if len(found) > 1:
            raise DatasetError(_several(root, found))
        if found:
            return found[0]
    raise DatasetError(_nothing_fits(root))


def _several(root: Path, found: list[tuple[Layout, Path]]) -> str:
    if found[0][1] == root:
        names, remedy = [layout.name for layout, _ in found], "Move the caption files of all but one elsewhere."
    else:
        names, remedy = [f"{layout.name} in {place.name}" for layout, place in found], "Name one of them."
    return f"A directory must hold one dataset. {root} holds: {', '.join(names)}. {remedy}"


def _fitting(place: Path) -> list[Layout]:
    fitting = [layout for layout in LAYOUTS if not layout.missing(place)]
    return [layout for layout in fitting if layout.overrules] or fitting


def _directories(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    except OSError:  # not ours to look into
        return []


def _nothing_fits(root: Path) -> str:
    wanted = "; or ".join(f"{layout.name}: {', '.join(need.text for need in layout.needs)}" for layout in LAYOUTS)
    try:
        present = sorted(root.iterdir())
    except OSError as error:
        raise DatasetError(f"A dataset must be readable. Received: {root}. Check its permissions.") from error
    contents = some((path.name + "/" * path.is_dir() for path in present), 8) or "nothing"
    return (
        f"A dataset must hold the files of one layout ({wanted}). "
        f"{root} holds: {contents}. {_nearly(root, present)}{_elsewhere(root)}{WHERE_TO_GET}."
    )


def _nearly(root: Path, present: list[Path]) -> str:
    """What stands between this directory and a layout."""
    half = [
        f"For {layout.name} this is missing: {', '.join(layout.missing(root))}. "
        for layout in LAYOUTS
        if len(layout.missing(root)) < len(layout.needs)
    ]
    refused = [
        f"{path.name} begins with {first_line(path)[:60]!r}, so it is no {need.text}. "
        for layout in LAYOUTS
        for need in layout.needs
        if layout.missing(root) == [need.text]
        for path in islice(need.candidates(root), 3)
    ]
    packed = [path.name for path in present if path.suffix.lower() in ARCHIVES]
    return "".join([*half, *refused, *([f"Unpack first: {some(packed)}. "] if packed else [])])


def _elsewhere(root: Path) -> str:
    """Where a dataset is that was missed by a level or two; empty if none is near."""
    above = islice(root.resolve().parents, 2)
    below = islice((place for directory in _directories(root) for place in _directories(directory)), 200)
    for place in (*above, *below):
        if fitting := _fitting(place):
            return f"There is {fitting[0].name} in {place}: name that directory. "
    return ""


# ---------------------------------------------------------------- from a listing to splits


def _unique_names(photos: list[Path], root: Path) -> dict[Path, str]:
    times = Counter(path.name for path in photos)
    return {path: path.name if times[path.name] == 1 else path.relative_to(root).as_posix() for path in photos}


def _captions_of_photos(listing: Listing, names: dict[Path, str], left_out: LeftOut) -> dict[str, list[str]]:
    readable = {path: _is_readable(path) for path in listing.photos}
    captions: dict[str, list[str]] = {names[path]: [] for path, good in readable.items() if good}
    leave_out(left_out, UNREADABLE, *(names[path] for path, good in readable.items() if not good))
    for line in listing.lines:
        if line.photo not in readable:
            leave_out(left_out, NO_FILE, line.label)
        elif not any(letter.isalnum() for letter in line.caption):
            leave_out(left_out, NO_WORDS, line.label)
        elif readable[line.photo]:
            captions[names[line.photo]].append(line.caption)
    leave_out(left_out, UNCAPTIONED, *(name for name, said in captions.items() if not said))
    return captions


def _lists(listing: Listing, names: dict[Path, str], split_file: str | Path | None) -> splits.Names | None:
    if split_file:
        return splits.read(Path(split_file))
    if listing.split_lists is None:
        return None
    return {split: [names.get(path, path.name) for path in paths] for split, paths in listing.split_lists.items()}


def _split_names(
    lists: splits.Names | None, captions: dict[str, list[str]], left_out: LeftOut, seed: int
) -> tuple[splits.Names, str]:
    """Who is in which split, and a note on where that comes from, empty if `lists` say it all."""
    if lists is None:
        return splits.draw((name for name, said in captions.items() if said), seed), f"drawn with seed {seed}"
    splits.refuse_overlap(lists)
    _account_for_lists(lists, captions, left_out)
    usable = {split: [name for name in dict.fromkeys(names) if captions.get(name)] for split, names in lists.items()}
    if len(held_out := usable.keys() & {"dev", "test"}) == 1:
        whole = "val" if "dev" in held_out else "test"
        return splits.halve(usable, seed), f"the photos of {whole} drawn into dev and test with seed {seed}"
    return {split: usable.get(split, []) for split in SPLITS}, ""


def _account_for_lists(lists: splits.Names, captions: dict[str, list[str]], left_out: LeftOut) -> None:
    present = {*captions, *left_out.get(UNREADABLE, ())}
    for names in lists.values():
        times = Counter(names)
        leave_out(left_out, LISTED_TWICE, *(name for name in times if times[name] > 1))
        leave_out(left_out, LISTED_MISSING, *(name for name in times if name not in present))
    listed = {name for names in lists.values() for name in names}
    leave_out(left_out, UNLISTED, *(name for name, said in captions.items() if said and name not in listed))


def _photos(
    split_names: splits.Names, names: dict[Path, str], captions: dict[str, list[str]]
) -> dict[str, list[Photo]]:
    paths = {name: path for path, name in names.items()}
    return {
        split: [Photo(name, paths[name], tuple(captions[name])) for name in members]
        for split, members in split_names.items()
    }


def _refuse_empty(dataset: Dataset) -> None:
    empty = [name for name, photos in dataset.splits.items() if not photos]
    if empty:
        left_out = f", left out: {_counts(dataset.left_out)}" if dataset.left_out else ""
        note = f", splits {dataset.split_note}" if dataset.split_note else ""
        raise DatasetError(
            "Every split must have a photo with a caption. "
            f"Received: none for {' and '.join(empty)} in {dataset.root} ({dataset.layout}{note}{left_out}). "
            "Check that the captions name photos as their files are named, and that three or more are there."
        )


def _is_readable(path: Path) -> bool:
    try:
        check_file(path)
    except ImageError:
        return False
    return True


def _counts(left_out: LeftOut) -> str:
    return "; ".join(_count(reason, names) for reason, names in left_out.items())


def _count(reason: str, names: list[str]) -> str:
    if len(names) == 1:
        reason = reason.replace("s ", " ", 1).replace(" are ", " is ")
    return f"{len(names):,} {reason} ({some(names)})"


def _mean(values: list[int]) -> str:
    return f"{sum(values) / len(values):.1f}"


# ---------------------------------------------------------------- the command


def main(arguments: list[str] | None = None) -> int:
    """Print what a directory holds, or why nothing in it can be used."""
    parser = argparse.ArgumentParser(description="Say what a directory of photos and captions holds; change nothing.")
    parser.add_argument("root", metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, help="draws the split where the layout brings none")
    parser.add_argument("--split-file", metavar="FILE", help="a split as a training wrote it, instead of any other")
    parser.add_argument("--left-out", action="store_true", help="name everything that was left out")
    options = parser.parse_args(arguments)
    try:
        dataset = load_dataset(options.root, seed=options.seed, split_file=options.split_file)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    print(dataset.summary())
    print(dataset.statistics())
    if options.left_out:
        print(dataset.report_left_out())
    return 0


if __name__ == "__main__":
    sys.exit(main())
