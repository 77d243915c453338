"""Made-up datasets for the tests: three photos, laid out in every way that people have them."""

import json
from pathlib import Path
from typing import Any

from tests.pictures import corners, encode, noise
from training.datasets import Dataset

PHOTO = encode(corners(), "JPEG")
CUT_PHOTO = encode(noise(), "JPEG")[:-100]

PHOTOS = ("dog.jpg", "cat.jpg", "sea.jpg")

ALBUM = {
    "dog.jpg": ("A dog runs through the grass .", 'A dog , a ball , and a "good boy" .'),
    "cat.jpg": ("A cat sleeps .",),
    "sea.jpg": ('Two people look at the "sea" .',),
}
SPLIT = {"dog.jpg": "train", "cat.jpg": "val", "sea.jpg": "test"}

TOKENS = """\
dog.jpg#0\tA dog runs through the grass .
dog.jpg#1\tThe dog 's tail is up , and it is happy .
cat.jpg#0\tA cat sleeps on a t-shirt
sea.jpg#0\tTwo people look at the "sea" .
"""

CAPTIONS_CSV = """\
image,caption
dog.jpg,A dog runs through the grass .
dog.jpg,"A dog , a ball , and a ""good boy"" ."
cat.jpg,"A cat sleeps ."
sea.jpg,Two people look at the "sea" .
"""

RESULTS_CSV = """\
image_name| comment_number| comment
dog.jpg| 0| A dog runs through the grass .
dog.jpg| 1| A dog , a ball , and a "good boy" .
cat.jpg| 0| A cat sleeps .
sea.jpg| 0| Two people look at the "sea" .
"""

ALBUM_TOKENS = "".join(f"{name}#{n}\t{said}\n" for name, captions in ALBUM.items() for n, said in enumerate(captions))

RECORDS = """\
{"image": "dog.jpg", "captions": ["A dog runs through the grass .", "A dog , a ball , and a \\"good boy\\" ."]}
{"image": "cat.jpg", "caption": "A cat sleeps ."}
{"image": "sea.jpg", "caption": "Two people look at the \\"sea\\" ."}
"""


def lay_out(root: Path, texts: dict[str, str], folder: str, photos: tuple[str, ...] = PHOTOS) -> Path:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    for photo in photos:
        (root / folder / photo).parent.mkdir(parents=True, exist_ok=True)
        (root / folder / photo).write_bytes(PHOTO)
    return root


def published(root: Path, tokens: str = TOKENS, photos: tuple[str, ...] = PHOTOS, **lists: str) -> Path:
    """Flickr8k in its authors' form; `lists` replaces the split lists train, dev and test."""
    lists = {"train": "dog.jpg\n", "dev": "cat.jpg\n", "test": "sea.jpg\n", **lists}
    files = {f"Flickr8k_text/Flickr_8k.{split}Images.txt": names for split, names in lists.items()}
    return lay_out(root, {"Flickr8k_text/Flickr8k.token.txt": tokens, **files}, "Flicker8k_Dataset", photos)


def kaggle(root: Path, captions: str = CAPTIONS_CSV, photos: tuple[str, ...] = PHOTOS) -> Path:
    return lay_out(root, {"captions.txt": captions}, "Images", photos)


def flickr30k(root: Path, tokens: str = ALBUM_TOKENS) -> Path:
    """Flickr30k in its authors' form."""
    return lay_out(root, {"results_20130124.token": tokens}, "flickr30k-images")


def kaggle_flickr30k(
    root: Path, rows: str = RESULTS_CSV, file: str = "results.csv", folder: str = "flickr30k_images"
) -> Path:
    return lay_out(root, {file: rows}, folder)


def karpathy(
    root: Path, images: list[Any] | None = None, file: str = "dataset_flickr8k.json", folder: str = "Images"
) -> Path:
    text = json.dumps({"images": karpathy_images() if images is None else images, "dataset": "flickr8k"})
    return lay_out(root, {file: text}, folder)


def karpathy_images(splits: dict[str, str] = SPLIT) -> list[Any]:
    return [
        {
            "filename": name,
            "split": splits[name],
            "sentences": [{"raw": said, "tokens": said.split()} for said in captions],
        }
        for name, captions in ALBUM.items()
    ]


def coco(root: Path, years: str = "2017") -> Path:
    """Two photos of train, the official folders, and the two others for val."""
    parts = {f"train{years}": ("dog.jpg",), f"val{years}": ("cat.jpg", "sea.jpg")}
    for part, names in parts.items():
        lay_out(root, {f"annotations/captions_{part}.json": coco_json(names)}, part, names)
    return root


def coco_json(names: tuple[str, ...] = PHOTOS, more: dict[str, list[Any]] | None = None) -> str:
    numbers = {name: number for number, name in enumerate(PHOTOS)}
    images = [{"id": numbers[name], "file_name": name} for name in names]
    annotations = [{"image_id": numbers[name], "caption": said} for name in names for said in ALBUM[name]]
    data = {"images": images, "annotations": annotations}
    return json.dumps({key: records + (more or {}).get(key, []) for key, records in data.items()})


def plain_csv(root: Path, rows: str = CAPTIONS_CSV, folder: str = "images", photos: tuple[str, ...] = PHOTOS) -> Path:
    return lay_out(root, {"pets.csv": rows}, folder, photos)


def json_lines(root: Path, rows: str = RECORDS, folder: str = ".", photos: tuple[str, ...] = PHOTOS) -> Path:
    return lay_out(root, {"pets.jsonl": rows}, folder, photos)


def captions(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    return {photo.name: photo.captions for split in dataset.splits.values() for photo in split}


def names(dataset: Dataset) -> dict[str, list[str]]:
    return {split: [photo.name for photo in photos] for split, photos in dataset.splits.items()}


def fifty(reverse: bool = False) -> tuple[str, tuple[str, ...]]:
    photos = tuple(f"{number:02}.jpg" for number in range(50))
    rows = sorted((f"{photo},Caption {k} of {photo}\n" for photo in photos for k in range(2)), reverse=reverse)
    return "image,caption\n" + "".join(rows), photos
