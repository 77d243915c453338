"""The command that measures training: both ways learn the same words, and waiting is counted."""

import time

import keras
import numpy as np
import pytest

from benchmarks.training_speed import (
    OURS_LIKE_THEIRS,
    Sizes,
    Way,
    made_up_captions,
    our_way,
    reached,
    share_outside,
    text,
    tutorial_way,
)
from model.tokenizer import END, START
from training.batches import CaptionBatches

CAPTIONS = made_up_captions(photos=2, vocabulary=50)
GRID = np.random.default_rng(0).random((2, 1, 1, 2048), np.float32)


def test_both_ways_train_on_every_word_of_the_same_captions() -> None:
    theirs, ours = tutorial_way(CAPTIONS, GRID, 50, 38, one_hot=True), our_way(CAPTIONS, GRID, 50, "merge", 8)
    captions = [caption for said in CAPTIONS for caption in said]
    assert ours.samples == len(captions) == 10
    assert theirs.samples == sum(len(caption) - 1 for caption in captions)  # START is given
    assert float(np.asarray(theirs.step())) > 0 and float(np.asarray(ours.step())) > 0


def test_made_up_captions_are_as_long_as_those_of_flickr8k_and_follow_zipf() -> None:
    captions = [caption for said in made_up_captions(photos=400, vocabulary=8761) for caption in said]
    assert all(caption[0] == START and caption[-1] == END for caption in captions)
    assert np.mean([len(caption) - 2 for caption in captions]) == pytest.approx(10.8, abs=0.5)
    words = np.bincount([word for caption in captions for word in caption[1:-1]], minlength=8761)
    assert words[4] / words[4 + 9] == pytest.approx(10, rel=0.3)  # the first against the tenth


def waiting(seconds: float) -> CaptionBatches:
    def fetch(rows: np.ndarray, _: np.random.Generator) -> np.ndarray:
        time.sleep(seconds)
        return np.zeros((len(rows), 1), np.float32)

    return CaptionBatches("features", fetch, CAPTIONS * 4, batch_size=2, max_words=2)


def test_a_network_that_waits_for_its_input_is_found_out() -> None:
    features, ids = keras.Input((1,), name="features"), keras.Input((5, 3), name="ids")
    sums = keras.ops.expand_dims(ids + keras.ops.expand_dims(features, -1), -1)
    model = keras.Model({"features": features, "ids": ids}, keras.layers.Dense(50)(sums))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert share_outside(model, waiting(0.0), rounds=1) < 0.6 < share_outside(model, waiting(0.2), rounds=1)


@pytest.mark.parametrize(("ours", "outside", "missed"), [(0.1, 0.05, 0), (0.11, 0.05, 1), (0.11, 0.1, 2)])
def test_a_goal_is_reached_or_missed_by_what_was_measured(ours: float, outside: float, missed: int) -> None:
    seconds = {"tutorials, one-hot targets": 1.0, "tutorials, ids as targets": 1.2, OURS_LIKE_THEIRS: ours}
    goals = reached(seconds, {"frozen": outside})
    assert sum("missed" in goal[-1] for goal in goals) == missed
    ways = {title: Way(lambda: None, 50, 120, 38) for title in seconds}
    page = text(Sizes(photos=2), CAPTIONS, ways, seconds, {"frozen": outside}, goals)
    assert f"| {OURS_LIKE_THEIRS} | 50 | 120 of 38 |" in page and page.count("**missed**") == missed
