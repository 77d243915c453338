"""Laws of the captions' weights."""

import numpy as np
import pytest

from training.consensus import consensus

DOGS = ["a dog runs on grass", "a dog runs on green grass", "a brown dog runs on grass", "two men play chess"]
CATS = ["a cat sleeps", "a cat sleeps on a bed", "the cat sleeps"]


def test_who_agrees_with_the_others_counts_more() -> None:
    weights, _ = consensus([DOGS, CATS], 1.0)
    assert weights[3] == min(weights) == pytest.approx(0, abs=1e-6)
    assert min(weights[:3]) > 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_every_photo_weighs_the_same(share: float) -> None:
    for weights in consensus([DOGS, CATS], share):
        assert np.mean(weights) == pytest.approx(1)
        assert min(weights) >= 1 - share - 1e-9


def test_no_share_and_no_company_mean_equal_weights() -> None:
    assert consensus([DOGS], 0.0) == [[1.0] * 4]
    assert consensus([DOGS[:2], ["alone"], CATS], 0.5)[:2] == [[1.0, 1.0], [1.0]]


def test_strangers_all_count_alike() -> None:
    assert consensus([["one two", "three four", "five six"], CATS], 0.5)[0] == [1.0, 1.0, 1.0]
