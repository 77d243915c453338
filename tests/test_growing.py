"""Laws of going on from a trained artifact: what it knew stays as it was, and new words are learnt."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from model.bundle import load_bundle
from model.captioner import CaptionGenerator
from model.config import DecodingConfig
from model.decoder import Decoder
from model.tokenizer import RESERVED, Tokenizer
from tests.bundles import CHANNELS, GRID, WORDS, untrained
from tests.conftest import COLOURS, picture
from tests.postcards import NEW_WORDS, write_postcards
from training.card import card
from training.datasets import load_dataset
from training.decoding import Chosen, best_of
from training.growing import grow_decoder, grow_tokenizer
from training.results import runs_of
from training.train import main

NEW = 3
KNOWN = DecodingConfig(beam_width=8, length_penalty=0.9)
OTHER = DecodingConfig(beam_width=3, length_penalty=0.3)


@pytest.fixture(scope="module", params=["attention", "merge"])
def before(request: pytest.FixtureRequest) -> Decoder:
    """Random weights everywhere: a bias of zeros would hide a bias that was lost."""
    decoder = untrained(kind=request.param).decoder
    random = np.random.default_rng(0)
    decoder.set_weights([random.normal(0, 0.5, weight.shape) for weight in decoder.weights])
    return decoder


def logits(decoder: Decoder) -> np.ndarray:
    random = np.random.default_rng(1)
    features = random.normal(size=(2, *GRID, CHANNELS)).astype("float32")
    ids = random.integers(0, RESERVED + len(WORDS), (2, 3, 7))
    return np.asarray(ops.convert_to_numpy(decoder({"features": features, "ids": ids})))


def test_old_words_keep_their_ids_and_new_ones_follow_the_commonest_first() -> None:
    known = Tokenizer(("dog", "a"))
    grown = grow_tokenizer(known, ["A pooch , a pooch !", "a lass", "the lass", "a pooch once", "a dog"], 2)
    assert grown.words == ("dog", "a", "pooch", "lass")
    assert grown.encode("a dog")[1:3] == known.encode("a dog")[1:3]


def test_captions_without_new_words_leave_the_vocabulary_as_it_is() -> None:
    known = Tokenizer(("dog", "a"))
    assert grow_tokenizer(known, ["a dog", "a dog"], 1) == known


def test_old_words_keep_their_rows_and_their_logits(before: Decoder) -> None:
    grown = grow_decoder(before, NEW, dropout=0.1, seed=1)
    known = before.config.vocabulary
    assert grown.config == replace(before.config, vocabulary=known + NEW, dropout=0.1)
    rows = [ops.convert_to_numpy(decoder.embedding.embeddings) for decoder in (before, grown)]
    np.testing.assert_array_equal(rows[1][:known], rows[0])
    assert logits(grown).shape[-1] == known + NEW
    np.testing.assert_allclose(logits(grown)[..., :known], logits(before), atol=1e-5)


def test_a_new_word_begins_no_likelier_than_rare_ones_and_unlike_its_fellows(before: Decoder) -> None:
    known = before.config.vocabulary
    bias = ops.convert_to_numpy(before.logits_bias)[-len(WORDS) // 4 :]
    grown = grow_decoder(before, NEW, dropout=0.1, seed=1)
    new = ops.convert_to_numpy(grown.logits_bias)[known:]
    assert (new >= bias.min() - 1e-6).all() and (new <= bias.max() + 1e-6).all()
    rows = ops.convert_to_numpy(grown.embedding.embeddings)[known:]
    assert len(np.unique(rows, axis=0)) == NEW


def test_the_search_of_the_artifact_is_kept_unless_another_is_surely_better() -> None:
    def tried(photos: int, better: int) -> list[Chosen]:
        gains = np.arange(photos) < better
        return [Chosen(KNOWN, np.full(photos, 0.5), []), Chosen(OTHER, 0.5 + gains, [])]

    assert best_of(tried(5, better=1), KNOWN).decoding == KNOWN
    assert best_of(tried(500, better=100), KNOWN).decoding == OTHER  # the same share, of photos that can tell
    assert best_of(tried(5, better=5), KNOWN).decoding == OTHER
    assert best_of(tried(1, better=1), KNOWN).decoding == KNOWN
    assert best_of(tried(5, better=0)).decoding == OTHER  # with nothing known, the narrower of equals


@pytest.fixture(scope="module")
def adapted(tiny_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny captioner of plain walls, shown fifty pictures that all are of a `fresco`, and the defaults for few."""
    folder = tmp_path_factory.mktemp("adapted")
    (folder / "album" / "Images").mkdir(parents=True)
    lines = ["image,caption"]
    for number in range(50):
        colour = list(COLOURS)[number % 4]
        picture(COLOURS[colour], seed=100 + number).save(folder / "album" / "Images" / f"{number}.png")
        lines += [f"{number}.png,{caption}" for caption in (f"A {colour} fresco .", f'"A fresco , {colour} ."')]
    (folder / "album" / "captions.txt").write_text("\n".join(lines) + "\n")
    status = main(
        f"--dataset {folder / 'album'} --init {tiny_artifact} --output {folder / 'artifacts'} --work {folder / 'work'} "
        "--epochs 8 --learning-rate 0.003".split()
    )
    assert status == 0
    return folder / "artifacts"


def test_a_new_word_of_every_caption_is_said(adapted: Path, tiny_artifact: Path) -> None:
    photos = [picture(colour, seed=7) for colour in COLOURS.values()]
    before, after = (CaptionGenerator.load(artifact).predict(list(photos)) for artifact in (tiny_artifact, adapted))
    assert sum("fresco" in caption.split() for caption in before) == 0
    assert sum("fresco" in caption.split() for caption in after) >= len(photos) - 1  # so short a training may miss one


def test_what_comes_out_is_an_artifact_with_the_old_words_first(adapted: Path, tiny_artifact: Path) -> None:
    old, new = load_bundle(tiny_artifact), load_bundle(adapted)
    assert new.tokenizer.words == (*old.tokenizer.words, "fresco")
    for before, after in zip(old.encoder.get_weights(), new.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert new.config.confidence is None  # five photos cannot tell


def test_the_record_tells_of_both_trainings(adapted: Path, tiny_artifact: Path) -> None:
    config = json.loads((adapted / "config.json").read_text())
    runs = runs_of(config["training"])
    assert [run["options"]["batch_size"] for run in runs] == [4, 4]
    assert "units" in runs[0]["options"] and "units" not in runs[1]["options"]
    assert "40 photos" in card(config, {}) and "50 photos" in card(config, {})


def test_the_postcards_of_the_walkthrough_hold_words_that_the_shipped_model_lacks(tmp_path: Path) -> None:
    write_postcards(tmp_path)
    dataset = load_dataset(tmp_path)
    said = Tokenizer.fit([text for photo in dataset.splits["train"] for text in photo.captions], 2).words
    known = Tokenizer.from_json((Path(__file__).parent.parent / "artifacts" / "tokenizer.json").read_text()).words
    assert {word for word in said if word not in known} == set(NEW_WORDS)
    assert {split: len(photos) for split, photos in dataset.splits.items()} == {"train": 40, "dev": 5, "test": 5}
