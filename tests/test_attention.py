"""Laws of attention: where the network looked for each word of a caption."""

import keras
import numpy as np
import pytest

from model.bundle import build_decoder
from model.config import DecoderConfig, DecodingConfig
from model.errors import NoAttention
from model.generation import Generator
from model.tokenizer import START

VOCABULARY, CHANNELS, GRID = 11, 6, (3, 2)
DECODING = DecodingConfig(3, 0.7, 6)


def generator(**options: object) -> Generator:
    keras.utils.set_random_seed(3)
    return Generator(build_decoder(DecoderConfig(VOCABULARY, CHANNELS, units=16, heads=4, **options)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def attentive() -> Generator:
    return generator(lstm_layers=2)


def grids(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, *GRID, CHANNELS)).astype(np.float32)


CAPTIONS = [(4, 5, 6, 7), (5,), (), (9, 8, 4, 10, 5, 6)]


def test_each_word_spreads_one_over_the_grid(attentive: Generator) -> None:
    for caption, weights in zip(CAPTIONS, attentive.attend(grids(4), CAPTIONS), strict=True):
        assert weights.shape == (len(caption), 6)
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_attention_depends_on_no_other_photo_of_the_batch(attentive: Generator) -> None:
    features = grids(4)
    for row, together in enumerate(attentive.attend(features, CAPTIONS)):
        (alone,) = attentive.attend(features[row : row + 1], CAPTIONS[row : row + 1])
        np.testing.assert_allclose(together, alone, atol=1e-6)


def test_attention_depends_on_the_photo_and_on_the_words_before(attentive: Generator) -> None:
    (one,), (other,) = (attentive.attend(grids(1, seed), [(4, 5, 6)]) for seed in (0, 1))
    assert np.abs(one - other).max() > 1e-3
    (changed,) = attentive.attend(grids(1), [(4, 7, 6)])
    np.testing.assert_allclose(changed[:2], one[:2], atol=1e-6)  # a word is looked up before it is said
    assert np.abs(changed[2] - one[2]).max() > 1e-4


def test_a_turned_grid_turns_the_attention(attentive: Generator) -> None:
    features = grids(1)
    (weights,), (turned,) = (attentive.attend(grid, [(4, 5)]) for grid in (features, features[:, ::-1, ::-1]))
    np.testing.assert_allclose(turned, weights[:, ::-1], atol=1e-5)


def test_every_head_of_every_block_counts_alike() -> None:
    decoder = build_decoder(DecoderConfig(VOCABULARY, CHANNELS, units=16, heads=4, merge_blocks=3))
    looks = []
    for block in decoder.blocks:  # one word, START, through the blocks one by one
        block.context.kernel.assign(0 * block.context.kernel)  # so that no block feeds the next
        block.project.kernel.assign(0 * block.project.kernel)
    words = decoder.recurrent[0](decoder._embed(np.array([[START]])))
    memory = decoder.remember(grids(1))
    for index, block in enumerate(decoder.blocks):
        looks.append(keras.ops.convert_to_numpy(block(words, *memory[2 * index : 2 * index + 2])[1])[0, :, 0])
    (found,) = Generator(decoder).attend(grids(1), [(4,)])
    np.testing.assert_allclose(found[0], np.mean(looks, axis=(0, 1)), atol=1e-5)


def test_looking_changes_no_caption(attentive: Generator) -> None:
    before = attentive.search(grids(3), DECODING)
    attentive.attend(grids(3), [best[0].ids for best in before])
    assert attentive.search(grids(3), DECODING) == before


def test_a_decoder_without_attention_says_so() -> None:
    with pytest.raises(NoAttention, match="merge"):
        generator(kind="merge").attend(grids(1), [(4, 5)])
