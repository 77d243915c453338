"""Laws of what comes with a caption, in Python and over HTTP: its confidence, and where the network looked."""

import io
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from model.captioner import Attention, CaptionGenerator
from model.errors import NoAttention
from tests.bundles import CONFIDENCE, GRID, untrained
from tests.pictures import corners, encode, gradient, noise
from web.settings import Settings

PHOTOS = [corners(), gradient(), noise()]


@pytest.fixture(scope="module")
def captioner() -> CaptionGenerator:
    return CaptionGenerator(untrained(CONFIDENCE))


@pytest.fixture(scope="module")
def pooled() -> CaptionGenerator:
    """Without attention, and nobody fitted a confidence to it."""
    return CaptionGenerator(untrained(kind="merge"))


@pytest.fixture(scope="module")
def client(captioner: CaptionGenerator) -> FlaskClient:
    return create_app(Settings(cache_mb=0), captioner).test_client()


@pytest.fixture(scope="module")
def pooled_client(pooled: CaptionGenerator) -> FlaskClient:
    return create_app(Settings(cache_mb=0), pooled).test_client()


def predict(client: FlaskClient, **options: Any) -> TestResponse:
    return client.post("/predict", data={"image": (io.BytesIO(encode(corners(), "PNG")), "photo.png"), **options})


def attention_of(captioner: CaptionGenerator, photo: Any) -> Attention:
    look = captioner.generate([photo], attention=True)[0].captions[0].attention
    assert look is not None
    return look


# ---------------------------------------------------------------- attention


def test_the_words_of_the_attention_are_those_of_the_caption(captioner: CaptionGenerator) -> None:
    for result in captioner.generate(PHOTOS, attention=True):
        text, look = result.captions[0].text, result.captions[0].attention
        assert look is not None and look.grid == GRID
        for each in look.words:  # a page finds them one after the other, and nothing but spaces between
            before, word, text = text.partition(each.word)
            assert before.strip() == "" and word == each.word
            assert each.weights.shape == (6,) and each.weights.sum() == pytest.approx(1, abs=1e-6)
        assert text == ""


def test_cells_are_told_in_reading_order(captioner: CaptionGenerator) -> None:
    """A photo whose one odd cell moves: the cell that attention changes in most moves with it."""
    plain = np.full((24, 16, 3), 90, np.uint8)
    even = attention_of(captioner, plain).words[0].weights
    for cell in range(6):
        odd = plain.copy()
        row, column = divmod(cell, 2)
        odd[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = (255, 0, 200)
        assert np.abs(attention_of(captioner, odd).words[0].weights - even).argmax() == cell


def test_attention_of_a_photo_is_its_own(captioner: CaptionGenerator) -> None:
    for result, photo in zip(captioner.generate(PHOTOS, attention=True), PHOTOS, strict=True):
        together, alone = result.captions[0].attention, attention_of(captioner, photo)
        assert together is not None
        for one, other in zip(together.words, alone.words, strict=True):
            assert one.word == other.word
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)


def test_asking_for_attention_changes_no_caption(captioner: CaptionGenerator) -> None:
    plain, explained = captioner.generate(PHOTOS, 3), captioner.generate(PHOTOS, 3, attention=True)
    for one, other in zip(plain, explained, strict=True):
        assert [caption.text for caption in one.captions] == [caption.text for caption in other.captions]
        assert [caption.log_probability for caption in one.captions] == [c.log_probability for c in other.captions]
        assert all(caption.attention is None for caption in (*one.captions, *other.captions[1:]))
        assert other.seconds.keys() - one.seconds.keys() == {"attention"}


def test_a_pooled_decoder_has_no_attention(captioner: CaptionGenerator, pooled: CaptionGenerator) -> None:
    assert (captioner.info["attention"], pooled.info["attention"]) == (True, False)
    assert pooled.predict(PHOTOS[0]) == pooled.generate(PHOTOS[:1])[0].captions[0].text
    with pytest.raises(NoAttention):
        pooled.generate(PHOTOS[:1], attention=True)


def test_attention_comes_over_http_when_asked_for(client: FlaskClient, captioner: CaptionGenerator) -> None:
    answer: Any = predict(client, return_attention="true").json
    expected = attention_of(captioner, corners())
    assert answer["attention"]["grid"] == list(GRID)
    assert [each["word"] for each in answer["attention"]["words"]] == [each.word for each in expected.words]
    for told, meant in zip(answer["attention"]["words"], expected.words, strict=True):
        np.testing.assert_allclose(told["weights"], meant.weights, atol=1e-5)
        assert sum(told["weights"]) == pytest.approx(1, abs=1e-4)
    plain: Any = predict(client).json
    assert "attention" not in plain and plain["captions"] == answer["captions"]


def test_attention_that_no_one_has_is_a_problem_and_the_next_caption_is_fine(pooled_client: FlaskClient) -> None:
    answer = predict(pooled_client, return_attention="true")
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    problem: Any = answer.json
    assert problem["code"] == "no_attention" and "return_attention" in problem["detail"]
    assert pooled_client.get("/health").status_code == 200
    assert predict(pooled_client).status_code == 200


# ---------------------------------------------------------------- confidence


def test_confidence_is_what_the_artifact_rates_the_whole_beam_as(captioner: CaptionGenerator) -> None:
    alone = captioner.generate(PHOTOS, 1)
    for one, few in zip(alone, captioner.generate(PHOTOS, 4), strict=True):
        ratings = [caption.confidence for caption in few.captions]
        assert all(rating is not None and 0 < rating < 1 for rating in ratings)
        assert one.captions[0].confidence == ratings[0]  # however many captions are asked for


def test_confidence_comes_over_http_for_each_candidate(client: FlaskClient, captioner: CaptionGenerator) -> None:
    answer: Any = predict(client, num_captions="3").json
    expected = [caption.confidence for caption in captioner.caption(corners(), 3)]
    assert [each["confidence"] for each in answer["captions"]] == pytest.approx(expected, abs=6e-4)
    assert answer["confidence"] == answer["captions"][0]["confidence"]


def test_an_artifact_without_confidence_says_null(pooled: CaptionGenerator, pooled_client: FlaskClient) -> None:
    assert pooled.caption(corners())[0].confidence is None
    answer: Any = predict(pooled_client).json
    assert answer["confidence"] is None and {each["confidence"] for each in answer["captions"]} == {None}
