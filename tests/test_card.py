"""Laws of the model card: it says what the artifact records, and no figure has another source."""

from pathlib import Path
from typing import Any

import pytest

from model.errors import ArtifactError, SettingsError
from training.card import card, fill_readme, main
from training.results import record, replace_file, to_json

FLUENCY = {
    "distinct_words": 451,
    "mean_words": 9.8,
    "open_endings": 0.004,
    "immediate_repeats": 0.0,
    "repeated_pairs": 0.031,
    "not_in_training": 0.62,
}
ENTRY = {
    "BLEU-1": 0.634,
    "CIDEr": 0.5432,
    "photos": 1000,
    "beam_width": 5,
    "length_penalty": 0.7,
    "protocol": "pycocoevalcap, PTB tokenizer",
    "fluency": FLUENCY,
}
BIT_GOES_DOWN = "48ec6ec3a87df750f1289b1c823f65399b3cca4aa4ad7d0abecefa8d8975c221"


def config(source: dict[str, str], **training: Any) -> dict[str, Any]:
    """What `config.json` holds, as far as the card reads it."""
    encoder = {"name": "resnet50", "grid": [7, 7, 2048], "source": source}
    return {"name": "captioner", "version": "1", "encoder": encoder, "training": training}


def test_known_weights_are_credited_with_their_licence_whatever_their_file_is_called() -> None:
    text = card(config({"file": "mine.keras", "sha256": BIT_GOES_DOWN, "statement": ""}), {})
    assert "And the Bit Goes Down" in text
    assert "Weights in this folder: CC BY-NC 4.0" in text


@pytest.mark.parametrize(
    ("name", "authors", "licence"),
    [("resnet50", "He, Zhang", "MIT"), ("vgg16", "Simonyan", "CC BY 4.0"), ("inceptionv3", "Szegedy", "Apache 2.0")],
)
def test_stock_networks_are_credited_by_their_names(name: str, authors: str, licence: str) -> None:
    text = card({"encoder": {"name": name, "source": {"name": name, "sha256": "0" * 64}}}, {})
    assert authors in text
    (line,) = (line for line in text.splitlines() if line.startswith("- Weights in this folder:"))
    assert licence in line


def test_weights_from_a_file_are_credited_where_it_is_called_as_keras_calls_it() -> None:
    source = {"name": "inceptionv3", "file": "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"}
    assert "Szegedy" in card({"encoder": {"name": "inceptionv3", "source": source}}, {})
    other = {"encoder": {"name": "inceptionv3", "source": {**source, "file": "mine.h5"}}}
    assert "Szegedy" not in card(other, {})
    assert "mine.h5 (weights' SHA-256" in card(other, {})


def test_a_statement_of_the_run_stands_for_weights_that_are_unknown() -> None:
    source = {"file": "mine.keras", "sha256": "0" * 64, "statement": "A network of our own, CC0."}
    assert "A network of our own, CC0." in card(config(source), {})


def test_weights_without_any_statement_are_named_by_file_and_checksum() -> None:
    text = card(config({"file": "mine.keras", "sha256": "0123abcd"}), {})
    assert "mine.keras (weights' SHA-256 0123abcd)" in text


def test_fine_tuning_makes_the_encoder_an_adaptation() -> None:
    assert "is an adaptation" in card(config({}, options={"fine_tune": True}), {})
    assert "kept as they came" in card(config({}, options={"fine_tune": False}), {})


def test_the_terms_of_flickr8k_are_told_where_it_was_used() -> None:
    assert "Hodosh" in card(config({}, dataset="Flickr8k as published: 8,000 photos"), {})
    assert "Hodosh" not in card(config({}, dataset="Kaggle form: 12 photos"), {})


def test_the_command_that_made_it_is_quoted() -> None:
    command = "python training/train.py --dataset flickr8k --fine-tune"
    assert f"```sh\n{command}\n```" in card(config({}, command=command), {})


def test_a_run_that_went_on_from_an_artifact_tells_of_all_runs() -> None:
    first = {"options": {"fine_tune": True}, "command": "python training/train.py --first", "minutes": 60}
    last = {"options": {"reinforce": True}, "command": "python training/train.py --second", "minutes": 30}
    text = card(config({}, **last, init={"name": "captioner", "version": "0", "training": first}), {})
    assert "--first\npython training/train.py --second" in text
    assert "after 1.5 hours" in text
    assert "is an adaptation" in text
    assert "self-critical" in text
    assert "self-critical" not in card(config({}, **first), {})


def test_all_data_on_the_way_is_named_with_its_terms() -> None:
    first = {"dataset": "Flickr8k as published: 8,000 photos"}
    init = {"name": "captioner", "version": "0", "training": first}
    text = card(config({}, dataset="Kaggle form: 50 photos", init=init), {})
    assert text.index("Flickr8k as published: 8,000 photos") < text.index("Kaggle form: 50 photos")
    assert "Hodosh" in text
    assert "terms of that dataset" in text


def test_captions_without_photos_are_named_where_the_words_were_learnt_from_them() -> None:
    assert "captions of `more.txt`" in card(config({}, options={"pretrain_text": "texts/more.txt"}), {})
    assert "from random numbers." in card(config({}, options={"pretrain_text": None}), {})


def test_a_card_without_scores_says_so() -> None:
    assert "Not evaluated yet" in card({}, {})


def test_the_scores_of_the_card_are_those_of_the_metrics(tmp_path: Path) -> None:
    replace_file(tmp_path / "config.json", to_json(config({})))
    record(tmp_path, "test", ENTRY, {})
    assert main(["--artifacts", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| **this model**, test | 63.4 | – | – | – | – | – | 54.3 |" in text
    assert "test: 1,000 photos, beam 5, length penalty 0.7, pycocoevalcap, PTB tokenizer" in text
    assert "| end in an article or preposition | 0.4 % |" in text


def test_people_and_confidence_are_told_where_they_were_measured(tmp_path: Path) -> None:
    decile = {"photos": 100, "expected": 0.31, "achieved": 0.29, "CIDEr": 0.46}
    confidence = {"rank_correlation": 0.53, "rank_correlation_of_log_probability": 0.48, "deciles": [decile] * 10}
    people = {"CIDEr": 0.832, "fluency": {**FLUENCY, "distinct_words": 1557}}
    text = card(config({}), {"dev": {**ENTRY, "people": people, "confidence": confidence}, "test": ENTRY})
    assert "| captions | dev | people, dev | test |" in text
    assert "| different words used | 451 | 1557 | 451 |" in text
    assert "people, each against the others: CIDEr 83.2" in text
    assert "| lowest tenth | 31 % | 29 % | 46.0 |" in text
    assert "CIDEr 0.530 (of the mean log-probability: 0.480)" in text
    assert "## Confidence" not in card(config({}), {"test": ENTRY})


def test_the_readme_changes_between_its_markers_only(tmp_path: Path) -> None:
    record(tmp_path, "test", ENTRY, {})
    readme = tmp_path / "PROJECT.md"
    readme.write_text("# Above\n<!-- scores:begin -->\nstale\n<!-- scores:end -->\nbelow\n")
    fill_readme(readme, tmp_path)
    once = readme.read_text(encoding="utf-8")
    assert once.startswith("# Above\n<!-- scores:begin -->\n")
    assert once.endswith("\n<!-- scores:end -->\nbelow\n")
    assert "54.3" in once
    assert "stale" not in once
    fill_readme(readme, tmp_path)
    assert readme.read_text(encoding="utf-8") == once


def test_a_readme_without_markers_is_left_alone(tmp_path: Path) -> None:
    record(tmp_path, "test", ENTRY, {})
    readme = tmp_path / "PROJECT.md"
    readme.write_text("<!-- scores:end --> <!-- scores:begin -->")
    with pytest.raises(SettingsError, match="scores:begin"):
        fill_readme(readme, tmp_path)
    assert readme.read_text() == "<!-- scores:end --> <!-- scores:begin -->"


def test_a_table_wants_scores(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="must hold scores"):
        fill_readme(tmp_path / "PROJECT.md", tmp_path)


def test_a_missing_configuration_is_one_line_and_exit_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--artifacts", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'config.json'} must be readable: ")


def test_the_readme_tells_the_scores_of_the_artifact_that_ships(tmp_path: Path) -> None:
    readme = Path(__file__).parent.parent / "README.md"
    again = tmp_path / "README.md"
    again.write_text(readme.read_text(encoding="utf-8"), encoding="utf-8")
    fill_readme(again, readme.parent / "artifacts")
    assert again.read_text(encoding="utf-8") == readme.read_text(encoding="utf-8")
