"""Splits of a dataset by the names of its photos: drawn, shared out where one is missing, written and read back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from model.errors import DatasetError
from training.caption_files import read_json
from training.listing import SPLITS, some
from training.results import replace_file

Names = dict[str, list[str]]
FILE = "split.json"  # beside the weights that were trained on it


def draw(names: Iterable[str], seed: int) -> Names:
    """80 % train, 10 % dev, 10 % test, at least one photo in dev and in test."""
    order = _shuffled(names, seed)
    held_out = max(1, round(len(order) / 10))
    return {
        "train": order[2 * held_out :],
        "dev": order[:held_out],
        "test": order[held_out : 2 * held_out],
    }


def halve(splits: Mapping[str, list[str]], seed: int) -> Names:
    """A split without "dev", or without "test", shares the photos of the other between both."""
    (whole,) = splits.keys() & {"dev", "test"}
    order = _shuffled(splits[whole], seed)
    middle = (len(order) + 1) // 2
    return {"train": splits.get("train", []), "dev": order[:middle], "test": order[middle:]}


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    # By digest: the same photos and seed give the same split on every machine and Python, in whatever
    # order the file names them, and a photo more or less moves hardly any other.
    return sorted(names, key=lambda name: sha256(f"{seed} {name}".encode()).digest())


def refuse_overlap(splits: Mapping[str, Sequence[str]]) -> None:
    """Raise DatasetError if a photo is in several splits."""
    places: dict[str, list[str]] = {}
    for split, names in splits.items():
        for name in dict.fromkeys(names):
            places.setdefault(name, []).append(split)
    shared = [f"{name} in {' and '.join(splits)}" for name, splits in places.items() if len(splits) > 1]
    if shared:
        raise DatasetError(
            f"A photo must be in one split only. Received: {len(shared):,} in several ({some(shared)}). "
            "Remove each from all lists but one."
        )


def write(splits: Mapping[str, Sequence[str]], path: Path) -> None:
    """Write {"train": [names], "dev": …, "test": …}, whole or not at all. Raises ArtifactError if that fails."""
    replace_file(
        path, json.dumps({split: list(splits[split]) for split in SPLITS}, ensure_ascii=False, indent=0) + "\n"
    )


def read(path: Path) -> Names:
    """Read what `write` wrote. Raises DatasetError if it is anything else."""
    if not path.is_file():
        raise DatasetError(
            f"A split file must exist. Received: {path}. Name one that a training wrote, or leave it out."
        )
    data = read_json(path)
    if not isinstance(data, dict) or set(data) != set(SPLITS) or not all(_are_names(data[split]) for split in SPLITS):
        received = some(map(str, data), 6) if isinstance(data, dict) else type(data).__name__
        raise DatasetError(
            'A split file must hold {"train": [names], "dev": [names], "test": [names]}. '
            f"Received: {received or 'nothing'} in {path}. Name one that a training wrote, or leave it out."
        )
    return {split: data[split] for split in SPLITS}


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
