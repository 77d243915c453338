"""What `load_dataset` promises: splits that hold, and nothing dropped without being named."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import ArtifactError, DatasetError
from model.tokenizer import Tokenizer
from tests.albums import (
    CAPTIONS_CSV,
    CUT_PHOTO,
    PHOTO,
    TOKENS,
    captions,
    fifty,
    kaggle,
    kaggle_flickr30k,
    lay_out,
    names,
    plain_csv,
    published,
)
from training.datasets import load_dataset, write_split

ROOT = Path(__file__).resolve().parent.parent
FLICKR8K = ROOT.parent / "shared" / "flickr8k"


# ---------------------------------------------------------------- photos and official splits


def test_photo_knows_its_file(tmp_path: Path) -> None:
    photo = load_dataset(published(tmp_path)).splits["train"][0]
    assert photo.path == tmp_path / "Flicker8k_Dataset" / "dog.jpg"
    assert photo.path.read_bytes() == PHOTO


def test_listed_photo_that_is_missing_is_named(tmp_path: Path) -> None:
    dataset = load_dataset(published(tmp_path, train="dog.jpg\nlost.jpg\n"))
    assert dataset.left_out == {"photos of a split list that are missing": ["lost.jpg"]}
    assert "1 photo of a split list that is missing (lost.jpg)" in dataset.summary()


def test_listed_photo_without_a_caption_is_named(tmp_path: Path) -> None:
    photos = ("dog.jpg", "cat.jpg", "sea.jpg", "mute.jpg")
    dataset = load_dataset(published(tmp_path, photos=photos, train="dog.jpg\nmute.jpg\n"))
    assert dataset.left_out == {"photos without a caption": ["mute.jpg"]}


def test_photo_in_no_split_list_is_named(tmp_path: Path) -> None:
    dataset = load_dataset(
        published(
            tmp_path,
            tokens=TOKENS + "extra.jpg#0\tA photo that nobody listed\n",
            photos=("dog.jpg", "cat.jpg", "sea.jpg", "extra.jpg"),
        )
    )
    assert dataset.left_out == {"photos in no split list": ["extra.jpg"]}
    assert "extra.jpg" not in captions(dataset)


def test_photo_named_twice_in_one_list_is_used_once(tmp_path: Path) -> None:
    dataset = load_dataset(published(tmp_path, train="dog.jpg\ndog.jpg\n"))
    assert names(dataset)["train"] == ["dog.jpg"]
    assert dataset.left_out == {"photos named twice in one split list": ["dog.jpg"]}


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", CUT_PHOTO], ids=["empty", "a page", "truncated"])
def test_photo_that_cannot_be_decoded_is_named(tmp_path: Path, content: bytes) -> None:
    root = published(
        tmp_path,
        tokens=TOKENS + "bad.jpg#0\tNobody can see this\n",
        photos=("dog.jpg", "cat.jpg", "sea.jpg", "bad.jpg"),
        train="dog.jpg\nbad.jpg\n",
    )
    (root / "Flicker8k_Dataset" / "bad.jpg").write_bytes(content)
    dataset = load_dataset(root)
    assert dataset.left_out == {"photos that cannot be decoded": ["bad.jpg"]}
    assert names(dataset)["train"] == ["dog.jpg"]


def test_photo_in_two_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"one split only. Received: 1 in several \(dog.jpg in train and test\)"):
        load_dataset(published(tmp_path, test="sea.jpg\ndog.jpg\n"))


def test_refusal_names_up_to_three_shared_photos(tmp_path: Path) -> None:
    shared = "a.jpg\nb.jpg\nc.jpg\nd.jpg\n"
    with pytest.raises(DatasetError, match=r"4 in several \(a.jpg .*, b.jpg .*, c.jpg in train and dev, …\)"):
        load_dataset(published(tmp_path, train=shared, dev=shared))


# ---------------------------------------------------------------- splits drawn


def test_drawn_split_is_80_10_10_by_photo(tmp_path: Path) -> None:
    drawn = names(load_dataset(kaggle(tmp_path, *fifty())))
    assert {split: len(photos) for split, photos in drawn.items()} == {"train": 40, "dev": 5, "test": 5}
    assert len({photo for photos in drawn.values() for photo in photos}) == 50


def test_drawn_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    one = kaggle(tmp_path / "one", *fifty())
    other = kaggle(tmp_path / "other", *fifty(reverse=True))
    assert names(load_dataset(one, seed=3)) == names(load_dataset(other, seed=3))
    assert names(load_dataset(one, seed=3)) != names(load_dataset(one, seed=4))


def test_drawn_split_stays_what_it_was_for_earlier_artifacts(tmp_path: Path) -> None:
    drawn = names(load_dataset(kaggle(tmp_path, *fifty()), seed=1))
    assert (drawn["dev"], drawn["test"]) == (
        ["11.jpg", "17.jpg", "35.jpg", "08.jpg", "34.jpg"],
        ["22.jpg", "33.jpg", "16.jpg", "29.jpg", "49.jpg"],
    )


# ---------------------------------------------------------------- splits written down


@pytest.mark.parametrize("lay", [published, kaggle, lambda root: kaggle(root, *fifty())])
def test_written_split_is_read_back(tmp_path: Path, lay: Callable[[Path], Path]) -> None:
    root, file = lay(tmp_path / "photos"), tmp_path / "run" / "split.json"
    dataset = load_dataset(root, seed=3)
    write_split(dataset, file)
    again = load_dataset(root, seed=4, split_file=file)
    assert (again.splits, again.left_out) == (dataset.splits, dataset.left_out)
    assert again.split_note == "as written in split.json"
    assert json.loads(file.read_text(encoding="utf-8")) == names(dataset)


def test_written_split_goes_before_the_official_one(tmp_path: Path) -> None:
    root = lay_out(published(tmp_path), {"split.json": split(train=["sea.jpg"], test=["dog.jpg"])}, ".")
    dataset = load_dataset(root, split_file=str(root / "split.json"))
    assert names(dataset) == {"train": ["sea.jpg"], "dev": ["cat.jpg"], "test": ["dog.jpg"]}
    assert "train 1, dev 1, test 1 (as written in split.json); left out" in dataset.summary()


def test_photos_that_came_or_went_since_the_split_was_written_are_named(tmp_path: Path) -> None:
    rows = CAPTIONS_CSV + "new.jpg,A new photo\n"
    root = kaggle(tmp_path, rows, ("dog.jpg", "cat.jpg", "sea.jpg", "new.jpg"))
    lay_out(root, {"split.json": split(train=["dog.jpg", "gone.jpg"])}, "Images")
    assert load_dataset(root, split_file=root / "split.json").left_out == {
        "photos of a split list that are missing": ["gone.jpg"],
        "photos in no split list": ["new.jpg"],
    }


def test_written_split_of_other_photos_is_refused(tmp_path: Path) -> None:
    root = lay_out(kaggle(tmp_path), {"split.json": split(["a.jpg"], ["b.jpg"], ["c.jpg"])}, "Images")
    with pytest.raises(DatasetError, match=r"none for train and dev and test .*as written in split.json, left out: 3"):
        load_dataset(root, split_file=root / "split.json")


def test_written_split_that_overlaps_is_refused(tmp_path: Path) -> None:
    root = lay_out(kaggle(tmp_path), {"split.json": split(["dog.jpg", "cat.jpg"])}, "Images")
    with pytest.raises(DatasetError, match=r"cat.jpg in train and dev"):
        load_dataset(root, split_file=root / "split.json")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"train": [], "dev": []}',
        '{"train": [], "dev": [], "test": "sea.jpg"}',
        '{"train": [1], "dev": [], "test": []}',
    ],
)
def test_split_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    root = lay_out(kaggle(tmp_path), {"split.json": text}, "Images")
    with pytest.raises(DatasetError, match=r'must hold \{"train": \[names\], .*Received: .*split.json. Name one'):
        load_dataset(root, split_file=root / "split.json")


def test_split_file_that_was_cut_names_the_place(tmp_path: Path) -> None:
    root = lay_out(kaggle(tmp_path), {"split.json": split()[:-30]}, "Images")
    with pytest.raises(DatasetError, match=r"split.json must be whole, valid JSON. Received: .* line 1, column \d+"):
        load_dataset(root, split_file=root / "split.json")


def test_missing_split_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"A split file must exist. Received: .*nowhere.json"):
        load_dataset(kaggle(tmp_path), split_file=tmp_path / "nowhere.json")


def test_split_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(ArtifactError, match="must be writable"):
        write_split(load_dataset(kaggle(tmp_path / "photos")), tmp_path / "file" / "split.json")


def split(train: list[str] | None = None, dev: list[str] | None = None, test: list[str] | None = None) -> str:
    return json.dumps({"train": train or ["dog.jpg"], "dev": dev or ["cat.jpg"], "test": test or ["sea.jpg"]})


# ---------------------------------------------------------------- finding the layout


@pytest.mark.parametrize("lay", [published, kaggle])
def test_layout_is_found_one_directory_deeper(tmp_path: Path, lay: Callable[[Path], Path]) -> None:
    lay(tmp_path / "archive")
    (tmp_path / "__MACOSX").mkdir()
    assert load_dataset(tmp_path).root == tmp_path / "archive"


def test_two_datasets_one_directory_deeper_are_refused(tmp_path: Path) -> None:
    published(tmp_path / "official")
    kaggle(tmp_path / "kaggle")
    with pytest.raises(DatasetError, match=r"Kaggle form in kaggle, Flickr8k as published in official. Name one"):
        load_dataset(tmp_path)


def test_unknown_layout_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "notes.txt").write_text("nothing here", encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        load_dataset(tmp_path)
    message = str(caught.value)
    for part in (
        "Flicker8k_Dataset",
        "captions.txt",
        "holds: holiday/, notes.txt",
        "Flickr8k: ask",
        "Flickr30k: ask",
    ):
        assert part in message
    assert "\n" not in message


def test_half_a_layout_says_which_half_is_missing(tmp_path: Path) -> None:
    root = published(tmp_path)
    (root / "Flickr8k_text" / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(DatasetError, match=r"this is missing: Flickr8k_text/Flickr_8k.devImages.txt"):
        load_dataset(root)


def test_missing_directory_says_where_to_get_data(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"must be a directory. Received: .*kaggle.com"):
        load_dataset(tmp_path / "nowhere")


def test_empty_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Received: none for dev in"):
        load_dataset(published(tmp_path, dev=""))


def test_captions_in_another_encoding_are_refused(tmp_path: Path) -> None:
    root = kaggle(tmp_path)
    (root / "captions.txt").write_bytes("image,caption\ndog.jpg,Un chien mouillé\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="must be readable UTF-8"):
        load_dataset(root)


def test_two_layouts_in_one_directory_are_refused(tmp_path: Path) -> None:
    kaggle(tmp_path)
    with pytest.raises(DatasetError, match=r"holds: Kaggle form, plain CSV. Move the caption files of all but one"):
        load_dataset(plain_csv(tmp_path))


def test_unknown_layout_lists_every_layout_that_is_known(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset(tmp_path)
    for files in (
        "flickr30k-images",
        "results.csv",
        "dataset_*.json",
        "captions_*.json",
        "*.csv",
        "*.jsonl",
        "captions.txt",
    ):
        assert files in str(caught.value)


@pytest.mark.parametrize("inside", ["Images", "captions.txt", "Images/dog.jpg", "Imagess"])
def test_name_of_something_within_a_dataset_is_answered_with_its_directory(tmp_path: Path, inside: str) -> None:
    root = kaggle(tmp_path)
    with pytest.raises(DatasetError, match=f"There is Kaggle form in {root}: name that directory"):
        load_dataset(root / inside)


def test_dataset_two_directories_deeper_is_pointed_out(tmp_path: Path) -> None:
    root = kaggle_flickr30k(tmp_path / "downloads" / "archive")
    with pytest.raises(DatasetError, match=f"There is Flickr30k from Kaggle in {root}: name that directory"):
        load_dataset(tmp_path)


def test_archive_that_was_not_unpacked_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "archive.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"Unpack first: archive.zip\."):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "received"),
    [
        (
            "pets.csv",
            "file,text\ndog.jpg,A dog\n",
            r"pets.csv begins with 'file,text', so it is no \*.csv with the header",
        ),
        (
            "pets.jsonl",
            '{"image": "dog.jpg",\n',
            r"pets.jsonl begins with '\{\"image\": \"dog.jpg\",', so it is no \*.jsonl",
        ),
        (
            "flickr30k_images/results.csv",
            "dog.jpg| 0| A dog\n",
            r"results.csv begins with 'dog.jpg\| 0\| A dog', so it is no",
        ),
    ],
)
def test_caption_file_of_another_form_is_shown(tmp_path: Path, file: str, text: str, received: str) -> None:
    with pytest.raises(DatasetError, match=received):
        load_dataset(lay_out(tmp_path, {file: text}, "photos"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("folder", ["", "Images"])
def test_directory_without_permission_is_refused(tmp_path: Path, folder: str) -> None:
    root = kaggle(tmp_path)
    (root / folder).chmod(0)
    try:
        with pytest.raises(DatasetError, match=r"must be readable. Received: .*Check its permissions"):
            load_dataset(root)
    finally:
        (root / folder).chmod(0o700)


# ---------------------------------------------------------------- the account


def test_every_photo_file_is_used_or_named(tmp_path: Path) -> None:
    root = published(
        tmp_path,
        tokens=TOKENS + "extra.jpg#0\tUnlisted\nbad.jpg#0\tBroken\nlost.jpg#0\tMissing\n",
        photos=("dog.jpg", "cat.jpg", "sea.jpg", "extra.jpg", "bad.jpg", "mute.jpg"),
    )
    (root / "Flicker8k_Dataset" / "bad.jpg").write_bytes(b"")
    dataset = load_dataset(root)
    files = {path.name for path in (root / "Flicker8k_Dataset").iterdir()}
    named = {name for left_out in dataset.left_out.values() for name in left_out}
    assert files == set(captions(dataset)) | (named & files)
    assert "lost.jpg in line 7" in named


def test_summary_is_one_line_with_every_count(tmp_path: Path) -> None:
    assert load_dataset(published(tmp_path)).summary() == (
        "Flickr8k as published: 3 photos, 4 captions; train 1, dev 1, test 1; left out: nothing"
    )


def test_summary_names_three_and_the_report_names_all(tmp_path: Path) -> None:
    rows = "".join(f"lost{number}.jpg#0\tMissing\n" for number in range(4))
    dataset = load_dataset(published(tmp_path, tokens=TOKENS + rows))
    first = ", ".join(f"lost{number}.jpg in line {number + 5}" for number in range(3))
    assert dataset.summary().endswith(f"4 caption lines whose photo is missing ({first}, …)")
    assert dataset.report_left_out().splitlines() == [
        "caption lines whose photo is missing: 4",
        *(f"lost{number}.jpg in line {number + 5}" for number in range(4)),
    ]


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "training" / "datasets.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT.parent)


def test_script_prints_the_summary(tmp_path: Path) -> None:
    answer = run_script(str(kaggle(tmp_path)))
    assert (answer.returncode, answer.stderr) == (0, "")
    dataset = load_dataset(tmp_path)
    assert answer.stdout == dataset.summary() + "\n" + dataset.statistics() + "\n"


def test_statistics_count_captions_and_words(tmp_path: Path) -> None:
    rows = "dog.jpg,A dog and a dog and a dog\ndog.jpg,The dog's dog , a dog\ncat.jpg,A cat\nsea.jpg,Blue\n"
    root = lay_out(kaggle(tmp_path, "image,caption\n" + rows), {"split.json": split()}, "Images")
    dataset = load_dataset(root, split_file=root / "split.json")
    assert dataset.statistics().splitlines() == [
        "captions per photo: 1 to 2, 1.3 on average; words per caption: up to 8, 4.2 on average",
        "words in the train captions: 5 distinct, 1 of them seen at least 5 times",
    ]


def test_script_takes_a_split_and_names_all_that_is_left_out(tmp_path: Path) -> None:
    rows = "".join(f"lost{number}.jpg,Missing\n" for number in range(5))
    root = lay_out(kaggle(tmp_path, CAPTIONS_CSV + rows), {"split.json": split()}, "Images")
    answer = run_script(str(root), "--split-file", str(root / "split.json"), "--left-out")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "(as written in split.json)" in answer.stdout
    assert answer.stdout.endswith(load_dataset(root).report_left_out() + "\n")


def test_script_changes_nothing(tmp_path: Path) -> None:
    root = kaggle(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    run_script(str(root))
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_script_answers_a_wrong_directory_in_one_line(tmp_path: Path) -> None:
    answer = run_script(str(tmp_path))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("A dataset must hold the files of one layout")


@pytest.mark.skipif(not FLICKR8K.is_dir(), reason="Flickr8k is not at ../shared/flickr8k; it may not be shipped")
def test_real_flickr8k_is_found_whole() -> None:
    dataset = load_dataset(FLICKR8K)
    assert dataset.summary().startswith(
        "Flickr8k as published: 8,000 photos, 40,000 captions; train 6,000, dev 1,000, test 1,000; "
        "left out: 5 caption lines whose photo is missing (2258277193_586949ec62.jpg.1 in line 6676"
    )
    assert {len(said) for said in captions(dataset).values()} == {5}


@pytest.mark.skipif(not FLICKR8K.is_dir(), reason="Flickr8k is not at ../shared/flickr8k; it may not be shipped")
def test_real_flickr8k_statistics_are_the_vocabulary_of_a_training() -> None:
    dataset = load_dataset(FLICKR8K)
    vocabulary = Tokenizer.fit(said for photo in dataset.splits["train"] for said in photo.captions)
    assert f"{len(vocabulary.words):,} of them seen at least 5 times" in dataset.statistics()
