"""Laws of the decoder: causal, padded without effect, steps equal teacher forcing, no photo in the LSTM or GRU."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from model.bundle import build_decoder
from model.config import DecoderConfig, DecodingConfig
from model.decoder import Decoder
from model.errors import SettingsError
from model.generation import Generator
from model.tokenizer import END, PAD, RESERVED, START, UNKNOWN

VOCABULARY, CHANNELS, GRID = 11, 6, (3, 3)
KINDS = [
    {"kind": "merge", "lstm_layers": 2},
    {"kind": "attention", "merge_blocks": 1},
    {"kind": "merge", "cell": "gru"},
    {"kind": "attention", "cell": "gru", "lstm_layers": 2},
]


@pytest.fixture(params=KINDS, ids=lambda options: "-".join(map(str, options.values())))
def decoder(request: pytest.FixtureRequest) -> Decoder:
    keras.utils.set_random_seed(3)
    return build_decoder(DecoderConfig(VOCABULARY, CHANNELS, units=16, heads=4, **request.param))


def photos(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, *GRID, CHANNELS)).astype(np.float32)


def sentences(count: int, captions: int, length: int, seed: int = 1) -> np.ndarray:
    ids = np.random.default_rng(seed).integers(RESERVED, VOCABULARY, (count, captions, length))
    ids[..., 0] = START
    return ids.astype(np.int32)


def logits(decoder: Decoder, features: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(decoder({"features": features, "ids": ids}))


def test_logits_have_a_row_for_every_word(decoder: Decoder) -> None:
    assert logits(decoder, photos(2), sentences(2, 3, 5)).shape == (2, 3, 5, VOCABULARY)


def test_the_future_changes_nothing(decoder: Decoder) -> None:
    ids = sentences(2, 2, 6)
    other = ids.copy()
    other[..., 4:] = RESERVED
    before, after = logits(decoder, photos(2), ids), logits(decoder, photos(2), other)
    np.testing.assert_allclose(before[:, :, :4], after[:, :, :4], atol=1e-5)


def test_padding_changes_nothing(decoder: Decoder) -> None:
    ids = sentences(2, 2, 4)
    padded = np.pad(ids, ((0, 0), (0, 1), (0, 3)), constant_values=PAD)
    found = logits(decoder, photos(2), padded)[:, :2, :4]
    np.testing.assert_allclose(found, logits(decoder, photos(2), ids), atol=1e-5)


def test_batching_never_mixes_photos(decoder: Decoder) -> None:
    features, ids = photos(3), sentences(3, 2, 4)
    together = logits(decoder, features, ids)
    for row in range(3):
        alone = logits(decoder, features[row : row + 1], ids[row : row + 1])
        np.testing.assert_allclose(together[row : row + 1], alone, atol=1e-5)


def test_captions_of_one_photo_do_not_see_each_other(decoder: Decoder) -> None:
    ids = sentences(2, 3, 4)
    together = logits(decoder, photos(2), ids)
    np.testing.assert_allclose(together[:, 1:2], logits(decoder, photos(2), ids[:, 1:2]), atol=1e-5)


def test_steps_equal_teacher_forcing(decoder: Decoder) -> None:
    features, ids = photos(2), sentences(2, 3, 5)
    expected = logits(decoder, features, ids)
    memory = decoder.remember(features)
    states = [np.zeros((2, 3, 16), np.float32)] * decoder.config.states
    for word in range(5):
        found, states, attention = decoder.step(ids[:, :, word], states, memory)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected[:, :, word], atol=1e-4)
        if decoder.config.kind == "attention":
            weights = keras.ops.convert_to_numpy(attention)
            assert weights.shape == (2, 3, 9)
            np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
        else:
            assert attention is None


def test_the_photo_never_enters_the_cell(decoder: Decoder) -> None:
    ids, states = sentences(2, 3, 1)[..., 0], [np.ones((2, 3, 16), np.float32)] * decoder.config.states
    one, other = (decoder.step(ids, states, decoder.remember(photos(2, seed))) for seed in (0, 1))
    for a, b in zip(one[1], other[1], strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b))
    assert np.abs(keras.ops.convert_to_numpy(one[0] - other[0])).max() > 1e-3  # but it does reach the words


def test_generated_captions_score_as_teacher_forcing_scores_them(decoder: Decoder) -> None:
    features = photos(3)
    for row, found in enumerate(Generator(decoder).search(features, DecodingConfig(4, 0.7, 6))):
        for hypothesis in found:
            path = [START, *hypothesis.ids, END]
            rows = log_softmax(logits(decoder, features[row : row + 1], np.array([[path[:-1]]]))[0, 0], axis=-1)
            words = [rows[position, index] for position, index in enumerate(path[1:])]
            ended, cut = sum(words), sum(words[:-1])
            closest = min((ended, cut), key=lambda total: abs(total - hypothesis.log_probability))
            assert hypothesis.log_probability == pytest.approx(closest, abs=1e-3)


def test_beam_one_equals_the_most_likely_word_each_time(decoder: Decoder) -> None:
    (found,) = Generator(decoder).search(photos(1), DecodingConfig(1, 0.7, 6))[0]
    ids = [START]
    for word in [*found.ids, END][:6]:
        row = logits(decoder, photos(1), np.array([[ids]]))[0, 0, -1]
        row[[PAD, START, UNKNOWN, ids[-1]]] = -np.inf  # nobody says these, and no word follows itself
        assert word == row.argmax()
        ids.append(word)


def test_generating_in_batches_changes_no_caption(decoder: Decoder) -> None:
    features, generator, decoding = photos(5), Generator(decoder), DecodingConfig(3, 0.7, 6)
    together = generator.search(features, decoding)
    for row, expected in enumerate(together):
        alone = generator.search(features[row : row + 1], decoding)[0]
        assert [h.ids for h in alone] == [h.ids for h in expected]


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "inject"},
        {"cell": "rnn"},
        {"lstm_layers": 3},
        {"units": 10, "heads": 4},
        {"dropout": 1.0},
        {"merge_blocks": 0},
    ],
)
def test_impossible_sizes_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="must"):
        DecoderConfig(VOCABULARY, CHANNELS, **bad)  # type: ignore[arg-type]
