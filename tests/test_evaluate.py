"""Laws of the evaluation: every photo its own caption, nothing lost on disk, a moved score noticed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from model.errors import ArtifactError
from training.datasets import Photo
from training.evaluate import Outcome, caption_photos, evaluate, main, parse, report, split_seed
from training.metrics import OWN_PROTOCOL
from training.results import METRICS, ROUGE_N, differences, read_metrics, record, replace_file

ROOT = Path(__file__).resolve().parents[1]
WORDS = ("red", "green", "blue", "black", "white", "brown", "grey", "pink")


@dataclass(frozen=True)
class Said:
    """A caption as a captioner says it."""

    text: str
    log_probability: float = -1.5
    confidence: float | None = None


PHOTOS = [
    Photo(f"{word}.jpg", Path(f"{word}.jpg"), (f"A {word} dog runs .", f"The {word} dog is fast !")) for word in WORDS
]


def name_the_colour(paths: Sequence[Path]) -> list[Said]:
    """Reads the caption off the file's name."""
    return [Said(f"a {path.stem} dog runs") for path in paths]


@pytest.fixture(autouse=True)
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores without Java: METEOR alone takes seconds to start."""
    empty = tmp_path / "no-programs"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_every_photo_gets_its_own_caption_whatever_the_batch_size(batch_size: int) -> None:
    sizes = []

    def predict(paths: Sequence[Path]) -> list[Said]:
        sizes.append(len(paths))
        return name_the_colour(paths)

    captions = caption_photos(predict, PHOTOS, batch_size)
    assert {name: said.text for name, said in captions.items()} == {
        f"{word}.jpg": f"a {word} dog runs" for word in WORDS
    }
    assert max(sizes) <= batch_size


def test_captions_that_people_wrote_score_bleu_one() -> None:
    outcome = evaluate(name_the_colour, PHOTOS, ["A red dog runs ."])
    assert outcome.scores["BLEU-4"] == pytest.approx(1)
    assert outcome.entry["photos"] == len(PHOTOS)
    assert outcome.entry["fluency"]["not_in_training"] == pytest.approx(1 - 1 / len(PHOTOS))
    said = outcome.predictions["red.jpg"]
    assert (said["caption"], said["log_probability"]) == ("a red dog runs", -1.5)
    ciders = [prediction["CIDEr"] for prediction in outcome.predictions.values()]
    assert sum(ciders) / len(ciders) == pytest.approx(outcome.scores["CIDEr"], abs=1e-4)


def test_people_stand_beside_the_captions_where_several_described_a_photo() -> None:
    outcome = evaluate(name_the_colour, PHOTOS)
    assert outcome.people is not None
    assert outcome.entry["people"]["CIDEr"] == pytest.approx(outcome.people.mean_cider, abs=1e-6)
    assert outcome.entry["people"]["fluency"]["mean_words"] == 4.5
    alone = [replace(photo, captions=photo.captions[:1]) for photo in PHOTOS]
    assert "people" not in evaluate(name_the_colour, alone).entry


def test_confidence_is_measured_where_captions_have_one() -> None:
    def predict(paths: Sequence[Path]) -> list[Said]:
        return [
            replace(said, confidence=WORDS.index(path.stem) / 8)
            for said, path in zip(name_the_colour(paths), paths, strict=True)
        ]

    outcome = evaluate(predict, PHOTOS)
    table = outcome.entry["confidence"]
    assert [row["expected"] for row in table["deciles"]] == [number / 8 for number in range(8)]
    assert outcome.predictions["green.jpg"]["confidence"] == 1 / 8
    assert "confidence" not in evaluate(name_the_colour, PHOTOS).entry


def test_recording_a_split_keeps_the_entries_of_the_others(tmp_path: Path) -> None:
    record(tmp_path, "dev", {"CIDEr": 0.5}, {})
    record(tmp_path, "test", {"CIDEr": 0.4}, {"a.jpg": {"caption": "a café"}})
    record(tmp_path, "dev", {"CIDEr": 0.6}, {})
    assert read_metrics(tmp_path) == {"dev": {"CIDEr": 0.6}, "test": {"CIDEr": 0.4}}
    assert json.loads((tmp_path / "predictions-test.json").read_bytes()) == {"a.jpg": {"caption": "a café"}}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    replace_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "new, then half a letter \ud800")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["metrics.json"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"file/metrics\.json must be writable"):
        replace_file(tmp_path / "file" / "metrics.json", "{}")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"test": 0.5}', "\udcff"])
def test_damaged_metrics_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ArtifactError, match=r"metrics\.json must hold.*restore it") as refusal:
        read_metrics(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_score_moved_beyond_the_tolerance_is_named() -> None:
    recorded = {"BLEU-4": 0.2, "CIDEr": 0.5}
    assert differences(recorded, {"BLEU-4": 0.2019, "CIDEr": 0.4981}, 0.002) == []
    assert differences(recorded, {"BLEU-4": 0.2, "CIDEr": 0.4979}, 0.002) == ["CIDEr: recorded 0.5000, measured 0.4979"]


def test_a_score_that_only_one_side_has_is_named() -> None:
    assert differences({"METEOR": 0.2}, {"CIDEr": 0.5}, 1) == [
        "CIDEr: recorded nothing, measured 0.5000",
        "METEOR: recorded 0.2000, measured nothing",
    ]


def test_the_table_has_a_dash_for_what_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"BLEU-1": 0.634, "CIDEr": 0.541, "photos": 1000, "beam_width": 5, "protocol": "by eye"}
    report({"test": Outcome(entry, {})})
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert " ".join(METRICS) in lines
    assert "this model, test 63.4 – – – – – 54.1" in lines
    assert "a human caption against the other four 64.7 45.8 31.4 21.4 – 49.5 82.3" in lines


def test_rouge_of_words_and_pairs_stands_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"CIDEr": 0.541, "ROUGE-1": 0.452, "ROUGE-2": 0.2104, "photos": 9, "beam_width": 5, "protocol": "by eye"}
    report({"dev": Outcome(entry, {})})
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "dev: 9 photos, beam 5, length penalty unknown, by eye, ROUGE-1 45.2, ROUGE-2 21.0"
    assert out.count("ROUGE-1") == 1


def test_splits_are_dev_unless_named_and_each_runs_once() -> None:
    assert parse(["--dataset", "d"]).split == ["dev"]
    splits = ["--split", "test", "--split", "dev", "--split", "test"]
    assert parse(["--dataset", "d", *splits]).split == ["test", "dev"]
    assert parse(["--dataset", "d"]).check is None
    assert parse(["--dataset", "d", "--check"]).check == 0.002
    assert parse(["--dataset", "d", "--check", "0.01"]).check == 0.01


def test_help_works_from_anywhere_and_loads_nothing_heavy(tmp_path: Path) -> None:
    script = ROOT / "training" / "evaluate.py"
    help_of = [sys.executable, str(script), "--help"]
    shown = subprocess.run(help_of, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--check" in shown.stdout
    loaded = "import sys, training.evaluate; print({'numpy', 'keras', 'nltk'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_errors_are_one_line_and_exit_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--artifacts", str(tmp_path), "--dataset", str(tmp_path / "nowhere")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "config.json" in last


def test_what_the_command_records_it_reproduces_and_a_moved_score_fails(
    tiny_artifact: Path, colour_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = Path(shutil.copytree(tiny_artifact, tmp_path / "artifacts"))
    sums = (artifact / "SHA256SUMS").read_bytes()
    command = f"--artifacts {artifact} --dataset {colour_dataset} --split test --split dev".split()
    assert main(command) == 0
    metrics = read_metrics(artifact)
    assert set(metrics) == {"test", "dev"}
    assert metrics["test"]["photos"] == len(json.loads((artifact / "predictions-test.json").read_bytes()))
    assert "| **this model**, test |" in (artifact / "README.md").read_text(encoding="utf-8")
    assert (artifact / "SHA256SUMS").read_bytes() == sums

    assert main([*command, "--check"]) == 0
    assert "Reproduced" in capsys.readouterr().out
    for name in ROUGE_N:  # a record from before they were measured
        assert 0 < metrics["test"].pop(name) <= 1
    record(artifact, "test", metrics["test"], {})
    assert main([*command, "--check"]) == 0
    metrics["test"]["ROUGE-L"] -= 0.003
    record(artifact, "test", metrics["test"], {})
    assert main([*command, "--check"]) == 1
    assert "Not reproduced: test ROUGE-L" in capsys.readouterr().err
    assert read_metrics(artifact) == metrics


def test_another_output_folder_leaves_the_artifact_as_it_was(
    tiny_artifact: Path, colour_dataset: Path, tmp_path: Path
) -> None:
    before = sorted(tiny_artifact.iterdir())
    where = f"--artifacts {tiny_artifact} --dataset {colour_dataset} --output {tmp_path / 'out'}"
    assert main(f"{where} --beam-width 1 --batch-size 3".split()) == 0
    assert sorted(tiny_artifact.iterdir()) == before
    assert read_metrics(tmp_path / "out")["dev"]["beam_width"] == 1


def test_splits_are_drawn_as_training_drew_them(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"training": {"options": {"seed": 7}}}')
    assert split_seed(tmp_path) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [({}, "there are none"), ({"protocol": "by eye"}, "by eye"), ({"beam_width": 3}, "beam width 3")],
)
def test_only_like_is_compared_with_like(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], message: str
) -> None:
    if change:
        record(tmp_path, "dev", {"photos": 1, "beam_width": 5, "protocol": OWN_PROTOCOL, **change}, {})
    assert main(["--artifacts", str(tmp_path), "--dataset", "d", "--beam-width", "5", "--check"]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
