"""What the layouts promise: each is known by its files, and each one's quirks are handled and named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.errors import DatasetError
from tests.albums import (
    ALBUM,
    ALBUM_TOKENS,
    CAPTIONS_CSV,
    RECORDS,
    RESULTS_CSV,
    TOKENS,
    captions,
    coco,
    coco_json,
    fifty,
    flickr30k,
    json_lines,
    kaggle,
    kaggle_flickr30k,
    karpathy,
    karpathy_images,
    lay_out,
    names,
    plain_csv,
    published,
)
from training.datasets import load_dataset

Lay = Callable[[Path], Path]


# ---------------------------------------------------------------- every layout


@pytest.mark.parametrize(
    ("layout", "lay"),
    [
        ("Flickr8k as published", lambda root: published(root, ALBUM_TOKENS)),
        ("Kaggle form", kaggle),
        ("Flickr30k as published", flickr30k),
        ("Flickr30k from Kaggle", kaggle_flickr30k),
        ("Karpathy's split (dataset_flickr8k.json)", karpathy),
        ("COCO captions (captions_train2017.json, captions_val2017.json)", coco),
        ("plain CSV (pets.csv)", plain_csv),
        ("JSON Lines (pets.jsonl)", json_lines),
    ],
)
def test_same_photos_in_any_layout_give_the_same_captions(tmp_path: Path, layout: str, lay: Lay) -> None:
    dataset = load_dataset(lay(tmp_path))
    assert dataset.layout == layout
    assert captions(dataset) == ALBUM
    assert dataset.left_out == {}
    assert {photo.path.name for photos in dataset.splits.values() for photo in photos} == set(ALBUM)


@pytest.mark.parametrize("lay", [kaggle, flickr30k, kaggle_flickr30k, plain_csv, json_lines])
def test_layout_without_an_official_split_has_one_drawn(tmp_path: Path, lay: Lay) -> None:
    lay(tmp_path)
    assert load_dataset(tmp_path, seed=5).split_note == "drawn with seed 5"


# ---------------------------------------------------------------- Flickr8k as published


def test_published_form_keeps_the_official_split(tmp_path: Path) -> None:
    dataset = load_dataset(published(tmp_path))
    assert dataset.layout == "Flickr8k as published"
    assert names(dataset) == {"train": ["dog.jpg"], "dev": ["cat.jpg"], "test": ["sea.jpg"]}
    assert dataset.left_out == {}


def test_captions_are_kept_as_people_wrote_them(tmp_path: Path) -> None:
    assert captions(load_dataset(published(tmp_path))) == {
        "dog.jpg": ("A dog runs through the grass .", "The dog 's tail is up , and it is happy ."),
        "cat.jpg": ("A cat sleeps on a t-shirt",),
        "sea.jpg": ('Two people look at the "sea" .',),
    }


def test_caption_line_without_a_photo_is_named(tmp_path: Path) -> None:
    row = "2258277193_586949ec62.jpg.1#0\tpeople waiting for the subway\n"
    dataset = load_dataset(published(tmp_path, tokens=TOKENS + row))
    assert dataset.left_out == {"caption lines whose photo is missing": ["2258277193_586949ec62.jpg.1 in line 5"]}
    assert "1 caption line whose photo is missing (2258277193_586949ec62.jpg.1 in line 5)" in dataset.summary()


@pytest.mark.parametrize("row", ["dog.jpg#2\t\n", "dog.jpg#2\t   \n", "dog.jpg#2\t . \n"])
def test_caption_without_a_word_is_named(tmp_path: Path, row: str) -> None:
    dataset = load_dataset(published(tmp_path, tokens=TOKENS + row))
    assert dataset.left_out == {"captions without a word": ["dog.jpg in line 5"]}
    assert len(captions(dataset)["dog.jpg"]) == 2


@pytest.mark.parametrize("row", ["no tab at all\n", "dog.jpg\tno number\n", "#3\tno name\n"])
def test_malformed_token_line_is_named(tmp_path: Path, row: str) -> None:
    dataset = load_dataset(published(tmp_path, tokens=row + TOKENS))
    assert dataset.left_out == {"lines without a photo and a caption": ["line 1 of Flickr8k.token.txt"]}


def test_windows_line_ends_and_byte_order_marks_change_nothing(tmp_path: Path) -> None:
    unix = load_dataset(published(tmp_path / "unix"))
    windows = published(tmp_path / "windows")
    for path in (windows / "Flickr8k_text").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert captions(load_dataset(windows)) == captions(unix)
    assert load_dataset(windows).left_out == {}


# ---------------------------------------------------------------- the Kaggle form


def test_kaggle_form_reads_commas_and_quotes(tmp_path: Path) -> None:
    dataset = load_dataset(kaggle(tmp_path))
    assert dataset.layout == "Kaggle form"
    assert captions(dataset) == {
        "dog.jpg": ("A dog runs through the grass .", 'A dog , a ball , and a "good boy" .'),
        "cat.jpg": ("A cat sleeps .",),
        "sea.jpg": ('Two people look at the "sea" .',),
    }


def test_unquoted_commas_stay_in_the_caption(tmp_path: Path) -> None:
    dataset = load_dataset(kaggle(tmp_path, CAPTIONS_CSV + "cat.jpg,A cat, a mouse, and a chase\n"))
    assert captions(dataset)["cat.jpg"][-1] == "A cat, a mouse, and a chase"


def test_unclosed_quote_costs_one_line_only(tmp_path: Path) -> None:
    dataset = load_dataset(kaggle(tmp_path, CAPTIONS_CSV + 'cat.jpg,"A cat\nsea.jpg,The sea .\n'))
    assert dataset.left_out == {"lines without a photo and a caption": ["line 6 of captions.txt"]}
    assert captions(dataset)["sea.jpg"][-1] == "The sea ."


@pytest.mark.parametrize(
    ("row", "reason", "name"),
    [
        (
            "lost.jpg,A photo that is not there\n",
            "caption lines whose photo is missing",
            "lost.jpg in line 6",
        ),
        ("dog.jpg,\n", "captions without a word", "dog.jpg in line 6"),
        ('dog.jpg," "\n', "captions without a word", "dog.jpg in line 6"),
        ("only one field\n", "lines without a photo and a caption", "line 6 of captions.txt"),
        (",A caption of nothing\n", "lines without a photo and a caption", "line 6 of captions.txt"),
    ],
)
def test_kaggle_line_that_is_left_out_is_named(tmp_path: Path, row: str, reason: str, name: str) -> None:
    assert load_dataset(kaggle(tmp_path, CAPTIONS_CSV + row)).left_out == {reason: [name]}


def test_kaggle_photo_without_a_caption_is_named(tmp_path: Path) -> None:
    dataset = load_dataset(kaggle(tmp_path, photos=("dog.jpg", "cat.jpg", "sea.jpg", "mute.jpg")))
    assert dataset.left_out == {"photos without a caption": ["mute.jpg"]}


def test_captions_without_the_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"must begin with the header image,caption. Received: 'dog.jpg,A dog"):
        load_dataset(kaggle(tmp_path, CAPTIONS_CSV.partition("\n")[2]))


@pytest.mark.parametrize("row", ["cat.jpg,0,A cat\n", "cat.jpg, 0, A cat\n"])
def test_kaggle_form_may_number_its_comments(tmp_path: Path, row: str) -> None:
    dataset = load_dataset(
        kaggle(tmp_path, "image_name,comment_number,comment\ndog.jpg,0,A dog\nsea.jpg,0,Sea\n" + row)
    )
    assert captions(dataset) == {"dog.jpg": ("A dog",), "cat.jpg": ("A cat",), "sea.jpg": ("Sea",)}


def test_photos_in_folders_below_images_are_found(tmp_path: Path) -> None:
    rows = "image,caption\npets/dog.jpg,A dog\npets/cat.jpg,A cat\nsea.jpg,The sea\n"
    dataset = load_dataset(kaggle(tmp_path, rows, ("pets/dog.jpg", "pets/cat.jpg", "pets/mute.jpg", "sea.jpg")))
    assert set(captions(dataset)) == {"dog.jpg", "cat.jpg", "sea.jpg"}
    assert dataset.left_out == {"photos without a caption": ["mute.jpg"]}


# ---------------------------------------------------------------- as people unpack them


def test_flickr8k_text_may_lie_without_its_folder(tmp_path: Path) -> None:
    root = published(tmp_path)
    for path in (root / "Flickr8k_text").iterdir():
        path.rename(root / path.name)
    (root / "Flickr8k_text").rmdir()
    assert names(load_dataset(root)) == {"train": ["dog.jpg"], "dev": ["cat.jpg"], "test": ["sea.jpg"]}


@pytest.mark.parametrize("folder", ["Flickr8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset"])
def test_flickr8k_photos_may_lie_in_the_folder_of_their_archive(tmp_path: Path, folder: str) -> None:
    root = published(tmp_path)
    (root / folder).parent.mkdir(exist_ok=True)
    (root / "Flicker8k_Dataset").rename(root / folder)
    assert len(captions(load_dataset(root))) == 3


# ---------------------------------------------------------------- Flickr30k from Kaggle


@pytest.mark.parametrize(
    "file", ["results.csv", "flickr30k_images/results.csv", "flickr30k_images/flickr30k_images/results.csv"]
)
@pytest.mark.parametrize("folder", ["flickr30k_images", "flickr30k_images/flickr30k_images"])
def test_flickr30k_is_found_however_it_is_nested(tmp_path: Path, folder: str, file: str) -> None:
    kaggle_flickr30k(tmp_path / "archive", file=file, folder=folder)
    for root in (tmp_path, tmp_path / "archive"):
        dataset = load_dataset(root)
        assert (captions(dataset), dataset.left_out) == (ALBUM, {})


@pytest.mark.parametrize("folder", [".", "flickr30k_images"])
def test_flickr30k_is_found_from_within_its_folder(tmp_path: Path, folder: str) -> None:
    kaggle_flickr30k(tmp_path / "flickr30k_images", folder=folder)
    dataset = load_dataset(tmp_path / "flickr30k_images")
    assert (captions(dataset), dataset.left_out) == (ALBUM, {})


def test_flickr30k_may_have_its_captions_twice(tmp_path: Path) -> None:
    kaggle_flickr30k(tmp_path)
    dataset = load_dataset(kaggle_flickr30k(tmp_path, file="flickr30k_images/results.csv"))
    assert (captions(dataset), dataset.left_out) == (ALBUM, {})


def test_flickr30k_with_commas_is_read_too(tmp_path: Path) -> None:
    rows = 'image_name,comment_number,comment\ndog.jpg,0,A dog , wet\ncat.jpg,0,"A cat, dry"\nsea.jpg,0,The sea\n'
    dataset = load_dataset(kaggle_flickr30k(tmp_path, rows, file="captions.txt"))
    assert captions(dataset) == {"dog.jpg": ("A dog , wet",), "cat.jpg": ("A cat, dry",), "sea.jpg": ("The sea",)}


@pytest.mark.parametrize(
    "row",
    [
        "dog.jpg| 4   A dog runs across the grass .\n",  # as the row of 2199200615.jpg in results.csv stands
        "dog.jpg| 4   A dog runs across the grass .|\n",
        "dog.jpg|4|A dog runs across the grass .\n",
        "dog.jpg | 4 | A dog runs across the grass . \n",
    ],
)
def test_flickr30k_row_without_its_last_separator_keeps_its_caption(tmp_path: Path, row: str) -> None:
    dataset = load_dataset(kaggle_flickr30k(tmp_path, RESULTS_CSV + row))
    assert captions(dataset)["dog.jpg"][-1] == "A dog runs across the grass ."
    assert dataset.left_out == {}


@pytest.mark.parametrize(
    ("row", "reason", "name"),
    [
        ("dog.jpg\n", "lines without a photo and a caption", "line 6 of results.csv"),
        ("dog.jpg| 2\n", "lines without a photo and a caption", "line 6 of results.csv"),
        ("dog.jpg| A dog| runs\n", "lines without a photo and a caption", "line 6 of results.csv"),
        ("| 0| A caption of nothing\n", "lines without a photo and a caption", "line 6 of results.csv"),
        ("dog.jpg| 2| .\n", "captions without a word", "dog.jpg in line 6"),
        ("dog.jpg| 2|\n", "captions without a word", "dog.jpg in line 6"),
        ("lost.jpg| 0| Nobody\n", "caption lines whose photo is missing", "lost.jpg in line 6"),
    ],
)
def test_flickr30k_row_that_is_left_out_is_named(tmp_path: Path, row: str, reason: str, name: str) -> None:
    assert load_dataset(kaggle_flickr30k(tmp_path, RESULTS_CSV + row)).left_out == {reason: [name]}


def test_bar_within_a_caption_stays(tmp_path: Path) -> None:
    dataset = load_dataset(kaggle_flickr30k(tmp_path, RESULTS_CSV + "cat.jpg| 1| A sign : in | out\n"))
    assert captions(dataset)["cat.jpg"][-1] == "A sign : in | out"


# ---------------------------------------------------------------- Karpathy's split


def test_karpathy_split_is_kept(tmp_path: Path) -> None:
    dataset = load_dataset(karpathy(tmp_path))
    assert names(dataset) == {"train": ["dog.jpg"], "dev": ["cat.jpg"], "test": ["sea.jpg"]}
    assert dataset.split_note == ""


def test_restval_counts_as_train(tmp_path: Path) -> None:
    more = {"filename": "boat.jpg", "split": "restval", "sentences": [{"raw": "A boat"}]}
    root = karpathy(tmp_path, [*karpathy_images(), more])
    lay_out(root, {}, "Images", ("boat.jpg",))
    assert names(load_dataset(root))["train"] == ["dog.jpg", "boat.jpg"]


def test_photo_of_an_unknown_split_is_named(tmp_path: Path) -> None:
    more = {"filename": "boat.jpg", "split": "spare", "sentences": [{"raw": "A boat"}]}
    root = karpathy(tmp_path, [*karpathy_images(), more])
    lay_out(root, {}, "Images", ("boat.jpg",))
    assert load_dataset(root).left_out == {"photos in no split list": ["boat.jpg"]}


@pytest.mark.parametrize(
    "folder", ["", "Images", "images", "Flicker8k_Dataset", "flickr30k_images/flickr30k_images", "flickr8k/Images"]
)
@pytest.mark.parametrize("file", ["dataset_flickr8k.json", "caption_datasets/dataset_flickr8k.json"])
def test_karpathy_photos_are_found_in_the_usual_folders(tmp_path: Path, folder: str, file: str) -> None:
    assert captions(load_dataset(karpathy(tmp_path, file=file, folder=folder))) == ALBUM


@pytest.mark.parametrize("above", ["", "images/", "coco/"])
def test_karpathy_photos_of_coco_lie_in_their_filepath(tmp_path: Path, above: str) -> None:
    images = [{**image, "filepath": "val2014", "cocoid": 42} for image in karpathy_images()]
    root = karpathy(tmp_path, images, "dataset_coco.json", folder=f"{above}val2014")
    assert captions(load_dataset(root)) == ALBUM


def test_karpathy_split_goes_before_the_captions_beside_it(tmp_path: Path) -> None:
    kaggle(tmp_path)
    dataset = load_dataset(karpathy(tmp_path))
    assert dataset.layout == "Karpathy's split (dataset_flickr8k.json)"
    assert names(dataset)["dev"] == ["cat.jpg"]


def test_karpathy_file_of_other_photos_is_named(tmp_path: Path) -> None:
    other = [{"filename": "elsewhere.jpg", "split": "train", "sentences": [{"raw": "Not here"}]}]
    karpathy(tmp_path, other, "caption_datasets/dataset_coco.json")
    dataset = load_dataset(karpathy(tmp_path, file="caption_datasets/dataset_flickr8k.json"))
    assert dataset.layout == "Karpathy's split (dataset_flickr8k.json)"
    assert "1 caption file without a photo (dataset_coco.json)" in dataset.summary()


def test_two_karpathy_files_with_photos_are_refused(tmp_path: Path) -> None:
    karpathy(tmp_path, file="dataset_flickr30k.json")
    with pytest.raises(DatasetError, match=r"one dataset_\*.json .*dataset_flickr30k.json, dataset_flickr8k.json"):
        load_dataset(karpathy(tmp_path))


@pytest.mark.parametrize(
    "record",
    [
        "dog.jpg",
        {"sentences": [{"raw": "A dog"}]},
        {"filename": 7, "sentences": []},
        {"filename": "dog.jpg"},
        {"filename": "dog.jpg", "sentences": [{"tokens": ["A", "dog"]}]},
        {"filename": "dog.jpg", "sentences": ["A dog"]},
    ],
)
def test_broken_karpathy_record_is_named(tmp_path: Path, record: Any) -> None:
    dataset = load_dataset(karpathy(tmp_path, [*karpathy_images(), record]))
    assert dataset.left_out == {"records without a photo and a caption": ["images[3] of dataset_flickr8k.json"]}
    assert captions(dataset) == ALBUM


def test_karpathy_photo_that_is_missing_is_named(tmp_path: Path) -> None:
    more = {"filename": "lost.jpg", "split": "train", "sentences": [{"raw": "Lost"}]}
    dataset = load_dataset(karpathy(tmp_path, [*karpathy_images(), more]))
    assert dataset.left_out == {"caption lines whose photo is missing": ["lost.jpg in images[3]"]}


def test_photo_in_two_karpathy_splits_is_refused(tmp_path: Path) -> None:
    more = {"filename": "dog.jpg", "split": "test", "sentences": [{"raw": "A dog again"}]}
    with pytest.raises(DatasetError, match=r"one split only. Received: 1 in several \(dog.jpg in train and test\)"):
        load_dataset(karpathy(tmp_path, [*karpathy_images(), more]))


def test_karpathy_file_that_was_cut_names_the_place(tmp_path: Path) -> None:
    root = karpathy(tmp_path)
    (root / "dataset_flickr8k.json").write_text('{"images": [\n  {"filename": "dog.jpg", "spl', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"dataset_flickr8k.json must be .* line 2, column .*Download it again"):
        load_dataset(root)


@pytest.mark.parametrize("text", ["[]", "{}", '{"images": {}}', '{"dog.jpg": "A dog"}', "7"])
def test_json_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    root = karpathy(tmp_path)
    (root / "dataset_flickr8k.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=r'dataset_flickr8k.json must hold \{"images": \[…\]\}. Received: '):
        load_dataset(root)


def test_captions_whose_photos_lie_elsewhere_are_refused_with_the_remedy(tmp_path: Path) -> None:
    coco(tmp_path)
    with pytest.raises(DatasetError, match=r"none of the 3 of captions_.*\(dog.jpg, .*directory that holds both"):
        load_dataset(tmp_path / "annotations")


# ---------------------------------------------------------------- COCO captions


@pytest.mark.parametrize("years", ["2017", "2014", "_2017", ""])
def test_coco_train_is_kept_and_val_becomes_dev_and_test(tmp_path: Path, years: str) -> None:
    dataset = load_dataset(coco(tmp_path, years))
    drawn = names(dataset)
    assert drawn["train"] == ["dog.jpg"]
    assert sorted(drawn["dev"] + drawn["test"]) == ["cat.jpg", "sea.jpg"]
    assert "train 1, dev 1, test 1 (the photos of val drawn into dev and test with seed 0)" in dataset.summary()


def test_coco_halves_depend_on_the_seed_alone(tmp_path: Path) -> None:
    photos = fifty()[1]
    for root, order in ((tmp_path / "one", photos), (tmp_path / "other", photos[::-1])):
        lay_out(
            root,
            {"captions_train.json": many(order[:0], "t.jpg"), "captions_val.json": many(order)},
            ".",
            ("t.jpg", *photos),
        )
    first, again = (names(load_dataset(tmp_path / root, seed=3)) for root in ("one", "other"))
    assert first == again != names(load_dataset(tmp_path / "one", seed=4))
    assert {split: len(part) for split, part in first.items()} == {"train": 1, "dev": 25, "test": 25}


def many(*groups: Any) -> str:
    photos = [photo for group in groups for photo in ([group] if isinstance(group, str) else group)]
    images = [{"id": photo, "file_name": photo} for photo in photos]
    return json.dumps({"images": images, "annotations": [{"image_id": photo, "caption": "One"} for photo in photos]})


def test_coco_test_captions_are_test_where_there_are_some(tmp_path: Path) -> None:
    files = {
        f"captions_{split}.json": coco_json((f"{photo}.jpg",))
        for split, photo in (("train", "dog"), ("val", "cat"), ("test", "sea"))
    }
    dataset = load_dataset(lay_out(tmp_path, files, "images"))
    assert names(dataset) == {"train": ["dog.jpg"], "dev": ["cat.jpg"], "test": ["sea.jpg"]}
    assert dataset.split_note == ""


def test_coco_file_alone_has_its_split_drawn(tmp_path: Path) -> None:
    dataset = load_dataset(lay_out(tmp_path, {"annotations/captions_val2017.json": coco_json()}, "val2017"))
    assert captions(dataset) == ALBUM
    assert dataset.split_note == "drawn with seed 0"


def test_coco_file_of_photos_that_are_not_there_is_named(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {"annotations/captions_val2017.json": coco_json()}, "val2017")
    lay_out(root, {"annotations/captions_train2017.json": many("boat.jpg")}, "val2017")
    assert load_dataset(root).left_out == {"caption files without a photo": ["captions_train2017.json"]}


def test_two_years_of_coco_are_refused(tmp_path: Path) -> None:
    coco(tmp_path, "2014")
    with pytest.raises(DatasetError, match=r"one for each split: .*captions_train2014.json, .*captions_train2017.json"):
        load_dataset(coco(tmp_path, "2017"))


@pytest.mark.parametrize("folder", ["train2017", "images/train2017", "images"])
def test_coco_photos_are_found_in_the_usual_folders(tmp_path: Path, folder: str) -> None:
    root = lay_out(tmp_path, {"annotations/captions_train2017.json": coco_json()}, folder)
    assert captions(load_dataset(root)) == ALBUM


@pytest.mark.parametrize(
    ("key", "record", "name"),
    [
        ("images", {"id": 9}, "images[3] of captions_all.json"),
        ("images", None, "images[3] of captions_all.json"),
        ("annotations", {"image_id": 9, "caption": "Of no image"}, "annotations[4] of captions_all.json"),
        ("annotations", {"image_id": 0, "caption": None}, "annotations[4] of captions_all.json"),
        ("annotations", {"image_id": [0], "caption": "A dog"}, "annotations[4] of captions_all.json"),
    ],
)
def test_broken_coco_record_is_named(tmp_path: Path, key: str, record: Any, name: str) -> None:
    dataset = load_dataset(lay_out(tmp_path, {"captions_all.json": coco_json(more={key: [record]})}, "images"))
    assert dataset.left_out == {"records without a photo and a caption": [name]}
    assert captions(dataset) == ALBUM


# ---------------------------------------------------------------- plain CSV and JSON Lines


@pytest.mark.parametrize("lay", [plain_csv, json_lines])
@pytest.mark.parametrize("folder", [".", "Images", "images"])
def test_plain_photos_lie_beside_their_captions_or_in_images(
    tmp_path: Path, lay: Callable[..., Path], folder: str
) -> None:
    dataset = load_dataset(lay(tmp_path, folder=folder))
    assert (captions(dataset), dataset.left_out) == (ALBUM, {})


@pytest.mark.parametrize("name", ["photos/dog.jpg", "./photos/dog.jpg", "photos\\dog.jpg"])
def test_plain_image_may_be_a_path(tmp_path: Path, name: str) -> None:
    rows = f"image,caption\n{name},A dog\nphotos/cat.jpg,A cat\nphotos/sea.jpg,The sea\n"
    dataset = load_dataset(plain_csv(tmp_path, rows, folder="photos"))
    assert set(captions(dataset)) == {"dog.jpg", "cat.jpg", "sea.jpg"}


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_plain_csv_may_be_separated_otherwise(tmp_path: Path, separator: str) -> None:
    rows = "image,caption\ndog.jpg,A dog\ncat.jpg,A cat\nsea.jpg,The sea\n".replace(",", separator)
    dataset = load_dataset(plain_csv(tmp_path, rows + f"sea.jpg{separator}Calm, and blue\n"))
    assert captions(dataset)["sea.jpg"] == ("The sea", "Calm, and blue")


@pytest.mark.parametrize(
    "header", ["image,caption", "Image,Caption", "image, caption", '"image","caption"', "\ufeffimage,caption"]
)
def test_header_may_be_written_otherwise(tmp_path: Path, header: str) -> None:
    rows = CAPTIONS_CSV.replace("image,caption", header, 1)
    assert captions(load_dataset(plain_csv(tmp_path, rows))) == ALBUM


@pytest.mark.parametrize("name", ["../outside.jpg", "pets/../../outside.jpg", "/outside.jpg", "nul\0/dog.jpg"])
def test_caption_file_cannot_reach_out_of_its_directory(tmp_path: Path, name: str) -> None:
    root = plain_csv(tmp_path / "pets", CAPTIONS_CSV + f"{name},A stranger\n")
    lay_out(tmp_path, {}, ".", ("outside.jpg",))
    assert load_dataset(root).left_out == {"caption lines whose photo is missing": [f"{name} in line 6"]}


def test_other_files_beside_the_photos_are_no_photos(tmp_path: Path) -> None:
    root = plain_csv(tmp_path, folder=".", photos=("dog.jpg", "cat.jpg", "sea.jpg", "mute.jpg"))
    lay_out(root, {"README.md": "Pets", "scores.csv": "a,b\n1,2\n", "LICENSE": "Free"}, ".")
    assert load_dataset(root).left_out == {"photos without a caption": ["mute.jpg"]}


def test_photos_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    rows = "image,caption\na/1.jpg,One\nb/1.jpg,Another\nb/2.jpg,Two\n"
    dataset = load_dataset(plain_csv(tmp_path, rows, ".", ("a/1.jpg", "b/1.jpg", "b/2.jpg")))
    assert captions(dataset) == {"a/1.jpg": ("One",), "b/1.jpg": ("Another",), "2.jpg": ("Two",)}


def test_two_plain_csvs_are_refused(tmp_path: Path) -> None:
    root = lay_out(plain_csv(tmp_path), {"more.csv": CAPTIONS_CSV}, ".")
    with pytest.raises(
        DatasetError, match=r"one CSV with the header image,caption. Received: more.csv, pets.csv .*Join"
    ):
        load_dataset(root)


@pytest.mark.parametrize(
    ("row", "reason", "name"),
    [
        ("not JSON", "lines without a photo and a caption", "line 4 of pets.jsonl"),
        ('{"image": "dog.jpg", "capt', "lines without a photo and a caption", "line 4 of pets.jsonl"),
        ("[" * 100_000, "lines without a photo and a caption", "line 4 of pets.jsonl"),
        ('["dog.jpg", "A dog"]', "lines without a photo and a caption", "line 4 of pets.jsonl"),
        ('{"image": "", "caption": "A dog"}', "lines without a photo and a caption", "line 4 of pets.jsonl"),
        ('{"image": "dog.jpg", "caption": null}', "lines without a photo and a caption", "line 4 of pets.jsonl"),
        ('{"image": "dog.jpg", "captions": []}', "lines without a photo and a caption", "line 4 of pets.jsonl"),
        (
            '{"image": "dog.jpg", "captions": ["A dog", 7]}',
            "lines without a photo and a caption",
            "line 4 of pets.jsonl",
        ),
        ('{"image": "dog.jpg", "caption": "…"}', "captions without a word", "dog.jpg in line 4"),
        ('{"image": "lost.jpg", "caption": "A"}', "caption lines whose photo is missing", "lost.jpg in line 4"),
    ],
    ids=lambda value: value[:40],
)
def test_json_line_that_is_left_out_is_named(tmp_path: Path, row: str, reason: str, name: str) -> None:
    dataset = load_dataset(json_lines(tmp_path, RECORDS + row + "\n\n"))
    assert dataset.left_out == {reason: [name]}
    assert captions(dataset) == ALBUM
