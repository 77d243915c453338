"""Laws of the ablation: every step measured alike, nothing lost on the way, test for the released model alone."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from model.errors import ArtifactError
from training.ablation import Stage, add_stage, count_parameters, main, read_stages, stage, table
from training.results import record


@pytest.fixture(autouse=True)
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores without Java: METEOR alone takes seconds to start."""
    empty = tmp_path / "no-programs"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


def measured(name: str, cider: float, test: dict[str, float] | None = None) -> dict[str, object]:
    return {
        "name": name,
        "parameters": {"encoder": 23_600_000, "decoder": 8_000_000},
        "milliseconds": 41.2,
        "cores": 2,
        "dev": {"BLEU-4": 0.2, "CIDEr": cider, "photos": 1000, "fluency": {"distinct_words": 213}},
        "test": test,
    }


def test_the_command_measures_each_stage_and_fills_the_readme(
    tiny_artifact: Path, colour_dataset: Path, tmp_path: Path
) -> None:
    released = Path(shutil.copytree(tiny_artifact, tmp_path / "released"))
    record(released, "test", {"CIDEr": 0.77}, {})
    readme, output = tmp_path / "PROJECT.md", tmp_path / "ablation.json"
    readme.write_text("above\n<!-- ablation:begin -->\nstale\n<!-- ablation:end -->\nbelow\n")
    stages = [f"first={tiny_artifact}", f"released={released}"]
    where = ["--dataset", str(colour_dataset), "--output", str(output), "--readme", str(readme), "--timed", "2"]
    assert main([*stages, *where]) == 0
    first, last = json.loads(output.read_text())["stages"]
    assert (first["name"], last["name"]) == ("first", "released")
    assert first["dev"] == last["dev"]
    assert first["milliseconds"] > 0
    text = readme.read_text(encoding="utf-8")
    assert "stale" not in text
    assert "| released, **test** | – | – | – | 77.0 | – |  |  |" in text

    readme.write_text(text.replace("released", "renamed"))
    assert main(["--output", str(output), "--readme", str(readme)]) == 0
    assert readme.read_text(encoding="utf-8") == text


def test_parameters_are_all_numbers_of_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", first=np.zeros((3, 4)), second=np.zeros(5))
    assert count_parameters(tmp_path / "weights.npz") == 17


def test_a_stage_measured_again_keeps_its_place_and_a_new_one_comes_last() -> None:
    stages = [measured("merge", 0.33), measured("attention", 0.4)]
    again = add_stage(stages, measured("merge", 0.35))
    assert [(one["name"], one["dev"]["CIDEr"]) for one in again] == [("merge", 0.35), ("attention", 0.4)]
    assert [one["name"] for one in add_stage(stages, measured("final", 0.6))] == ["merge", "attention", "final"]


def test_test_scores_stand_for_the_last_stage_alone() -> None:
    text = table([measured("merge", 0.33, {"CIDEr": 0.31}), measured("final", 0.6, {"CIDEr": 0.61})])
    assert "| merge | 20.0 | – | – | 33.0 | 213 | 31.6 | 41 |" in text
    assert "31.0" not in text
    assert "| final, **test** | – | – | – | 61.0 | – |  |  |" in text
    assert "**test**" not in table([measured("final", 0.6)])


def test_a_stage_is_a_name_and_a_folder() -> None:
    assert stage("fine-tuned=runs/a=b") == Stage("fine-tuned", Path("runs/a=b"))
    for text in ("runs/merge", "=runs", "name="):
        with pytest.raises(argparse.ArgumentTypeError, match="NAME=FOLDER"):
            stage(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stages": 1}'])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ablation.json").write_text(text)
    with pytest.raises(ArtifactError, match="must hold an ablation"):
        read_stages(tmp_path / "ablation.json")
    assert read_stages(tmp_path / "none.json") == []


def test_a_missing_artifact_is_named_before_anything_is_measured(
    tiny_artifact: Path, colour_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages, output = [f"first={tiny_artifact}", f"second={tmp_path / 'nowhere'}"], tmp_path / "ablation.json"
    assert main([*stages, "--dataset", str(colour_dataset), "--output", str(output)]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not output.exists()


def test_a_table_wants_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path / "none.json")]) == 2
    assert "NAME=FOLDER" in capsys.readouterr().err
