"""Laws of the confidence: what the signals say, what a rating may depend on, and what the fit finds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from model.confidence import SIGNALS, Confidence, signals
from model.config import BundleConfig, DecoderConfig, DecodingConfig
from model.errors import SettingsError
from model.search import Hypothesis
from model.tokenizer import RESERVED

PLAIN = Confidence((0.0,) * 6, (1.0,) * 6, (1.0, 0.0, 0.0, 0.0, 1.0, 0.5), -0.5)


def said(ids: list[int], steps: list[float]) -> Hypothesis:
    """A hypothesis from ranks of words (0 is the most frequent) and log-probabilities."""
    return Hypothesis(tuple(index + RESERVED for index in ids), sum(steps), sum(steps), tuple(steps))


DOG = said([0, 9, 4, 99], [-0.1, -0.2, -0.3, -0.4, -0.5])
TWIN = replace(DOG, log_probability=-2.0)
OTHER = said([1, 2], [-1.0, -1.0, -1.0])
CUT = said([0, 9, 4], [-0.1, -0.2, -0.3])


def named(found: list[Hypothesis], row: int = 0) -> dict[str, float]:
    return dict(zip(SIGNALS, signals(found)[row], strict=True))


def test_signals_are_what_their_names_say() -> None:
    values = named([DOG, TWIN, OTHER])
    assert values["certainty"] == pytest.approx(-0.3)
    assert values["words"] == 4
    assert values["rareness"] == pytest.approx(np.log([10, 5, 100]).mean())
    assert values["rare_certainty"] == pytest.approx(-0.3)
    assert values["agreement"] == pytest.approx(0.5)
    assert values["ending"] == pytest.approx(-0.5)


def test_signals_of_a_lone_a_cut_and_an_empty_caption_are_defined_or_unknown() -> None:
    assert np.isnan(named([DOG])["agreement"])
    assert np.isnan(named([CUT, DOG])["ending"])
    empty = named([said([], [-3.0]), DOG])
    assert np.isfinite(list(empty.values())).all()


def test_every_hypothesis_is_rated_between_zero_and_one() -> None:
    for found in ([DOG], [DOG, OTHER], [CUT, OTHER, TWIN], [said([], [-3.0])]):
        ratings = PLAIN.rate(found)
        assert len(ratings) == len(found)
        assert all(0 < rating < 1 for rating in ratings)
    assert PLAIN.rate([]) == ()


def test_an_unknown_signal_counts_as_average() -> None:
    without = replace(PLAIN, weights=(*PLAIN.weights[:4], 0.0, PLAIN.weights[5]))
    assert PLAIN.rate([DOG]) == without.rate([DOG])
    assert PLAIN.rate([DOG, TWIN])[0] > without.rate([DOG, TWIN])[0]


def test_surer_words_never_lower_a_rating_whose_weights_are_positive() -> None:
    surer = replace(DOG, word_log_probabilities=tuple(step / 2 for step in DOG.word_log_probabilities))
    assert PLAIN.rate([surer, OTHER])[0] > PLAIN.rate([DOG, OTHER])[0]


def test_a_confidence_survives_json() -> None:
    assert Confidence.from_dict(json.loads(json.dumps(PLAIN.to_dict()))) == PLAIN


@pytest.mark.parametrize(
    "change",
    [{"bias": None}, {"bias": float("nan")}, {"signals": {}}, {"signals": 3}, {"signals": {"luck": {"weight": 1}}}],
)
def test_a_configuration_with_a_broken_confidence_is_refused(change: dict[str, object]) -> None:
    config = BundleConfig("tiny", "1", {}, DecoderConfig(10, 8), DecodingConfig(), {}, PLAIN.to_dict())
    assert BundleConfig.from_dict(config.to_dict()) == config
    with pytest.raises(SettingsError, match="confidence"):
        BundleConfig.from_dict({**config.to_dict(), "confidence": {**PLAIN.to_dict(), **change}})
