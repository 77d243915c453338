"""Laws of the beam search, on a toy alphabet whose scores are known."""

from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.special import log_softmax

from model.config import DecodingConfig
from model.search import Hypothesis, beam_search, candidates
from model.tokenizer import END, PAD, RESERVED, START, UNKNOWN

LETTERS = "abc"
VOCABULARY = RESERVED + len(LETTERS)


def spell(hypothesis: Hypothesis) -> str:
    return "".join(LETTERS[index - RESERVED] for index in hypothesis.ids)


def ids_of(word: str) -> list[int]:
    return [RESERVED + LETTERS.index(letter) for letter in word]


def every_word(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a step gives that keeps no word back."""
    return np.broadcast_to(np.arange(logits.shape[-1]), logits.shape), log_softmax(logits, axis=-1)


class Bigrams:
    """A language whose next letter depends on the last one; each photo has a table of its own."""

    def __init__(self, photos: int, seed: int = 0) -> None:
        self.logits = np.random.default_rng(seed).normal(0, 2, (photos, VOCABULARY, VOCABULARY))

    def step(self, ids: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return every_word(self.logits[np.arange(len(ids))[:, None], ids])

    def log_probability(self, photo: int, word: str, ended: bool = True) -> float:
        path = [START, *ids_of(word), *([END] if ended else [])]
        rows = log_softmax(self.logits[photo], axis=-1)
        return float(sum(rows[a, b] for a, b in pairwise(path)))


class History(Bigrams):
    """Scores depend on the whole prefix, which is carried as state: a wrong parent shows."""

    def __init__(self, photos: int, seed: int = 0) -> None:
        super().__init__(photos, seed)
        self.prefixes: list[list[tuple[int, ...]]] = []

    def step(self, ids: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = [[()] * ids.shape[1]] * len(ids) if (ids == START).all() else self.prefixes
        self.prefixes = [
            [(*before[photo][parent], int(index)) for index, parent in zip(ids[photo], parents[photo], strict=True)]
            for photo in range(len(ids))
        ]
        return every_word(
            np.array([[self.scores(photo, prefix) for prefix in beams] for photo, beams in enumerate(self.prefixes)])
        )

    def scores(self, photo: int, prefix: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng((photo, *prefix)).normal(0, 2, VOCABULARY)

    def log_probability(self, photo: int, word: str, ended: bool = True) -> float:
        path, total = [START, *ids_of(word), *([END] if ended else [])], 0.0
        for position in range(1, len(path)):
            total += log_softmax(self.scores(photo, tuple(path[:position])))[path[position]]
        return float(total)


def words_up_to(length: int) -> list[str]:
    """Every word without a letter that follows itself."""
    words = ("".join(letters) for size in range(length + 1) for letters in product(LETTERS, repeat=size))
    return [word for word in words if all(a != b for a, b in pairwise(word))]


def search(language: Bigrams, photos: int, width: int, max_words: int = 4, penalty: float = 0.0) -> list[list[str]]:
    found = beam_search(language.step, photos, DecodingConfig(width, penalty, max_words))
    return [[spell(hypothesis) for hypothesis in best] for best in found]


def greedy(language: Bigrams, photo: int, max_words: int) -> str:
    """The plain definition, letter by letter."""
    word = ""
    for _ in range(max_words):
        steps = {letter: word + letter for letter in LETTERS if not word.endswith(letter)}
        best = max(steps.values(), key=lambda longer: language.log_probability(photo, longer, ended=False))
        if language.log_probability(photo, word) > language.log_probability(photo, best, ended=False):
            return word
        word = best
    return word


@pytest.mark.parametrize("kind", [Bigrams, History])
@pytest.mark.parametrize("seed", range(5))
def test_beam_one_equals_greedy(kind: type[Bigrams], seed: int) -> None:
    language = kind(3, seed)
    expected = [[greedy(language, photo, 6)] for photo in range(3)]
    assert search(language, 3, width=1, max_words=6) == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_most_probable_word_of_all(seed: int) -> None:
    language = History(2, seed)
    for photo, found in enumerate(search(language, 2, width=20, max_words=3)):
        ended = words_up_to(2)  # words of three letters are cut, not ended
        assert found[0] in words_up_to(3)
        best = max(ended, key=lambda word: language.log_probability(photo, word))
        assert best in found
        assert next(word for word in found if word in ended) == best


def test_log_probabilities_are_those_of_the_words() -> None:
    language = History(2, seed=3)
    for photo, found in enumerate(beam_search(language.step, 2, DecodingConfig(4, 0.7, 5))):
        for hypothesis in found:
            word = spell(hypothesis)
            options = [
                language.log_probability(photo, word),
                language.log_probability(photo, word, ended=False),
            ]
            assert any(hypothesis.log_probability == pytest.approx(option) for option in options)
            assert hypothesis.score == pytest.approx(hypothesis.log_probability / (len(word) + 1) ** 0.7)


def test_each_word_has_its_own_log_probability() -> None:
    language = History(2, seed=3)
    for photo, found in enumerate(beam_search(language.step, 2, DecodingConfig(4, 0.7, 5))):
        for hypothesis in found:
            word, steps = spell(hypothesis), hypothesis.word_log_probabilities
            assert len(steps) in (len(word), len(word) + 1)
            assert sum(steps) == pytest.approx(hypothesis.log_probability)
            for length in range(len(word) + 1):
                before = language.log_probability(photo, word[:length], ended=False)
                assert sum(steps[:length]) == pytest.approx(before)


def test_batching_never_mixes_photos() -> None:
    together = Bigrams(4, seed=1)
    alone = Bigrams(1, seed=1)
    for photo, found in enumerate(search(together, 4, width=3)):
        alone.logits = together.logits[photo : photo + 1]
        assert search(alone, 1, width=3) == [found]


def test_hypotheses_come_best_first_and_once() -> None:
    for penalty in (0.0, 0.7, 1.5):
        found = beam_search(History(3).step, 3, DecodingConfig(5, penalty, 5))
        for best in found:
            scores = [hypothesis.score for hypothesis in best]
            assert scores == sorted(scores, reverse=True)
            assert len({hypothesis.ids for hypothesis in best}) == len(best)


def test_reserved_ids_are_never_generated_and_no_letter_follows_itself() -> None:
    language = Bigrams(3)
    language.logits[..., [PAD, START, UNKNOWN]] = 50.0
    language.logits[:, range(VOCABULARY), range(VOCABULARY)] = 40.0
    for best in search(language, 3, width=4, max_words=8):
        for word in best:
            assert set(word) <= set(LETTERS)
            assert word in words_up_to(8)


def test_a_caption_that_never_ends_is_capped() -> None:
    language = Bigrams(2)
    language.logits[..., END] = -50.0
    for best in search(language, 2, width=3, max_words=5):
        assert best
        assert {len(word) for word in best} == {5}


def test_a_length_penalty_never_shortens_the_best_caption() -> None:
    language = History(8, seed=2)
    lengths = [
        [len(best[0]) for best in search(language, 8, width=6, max_words=6, penalty=penalty)] for penalty in (0, 1, 2)
    ]
    assert all(a <= b <= c for a, b, c in zip(*lengths, strict=True))
    assert sum(lengths[0]) < sum(lengths[2])


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("seed", range(5))
def test_the_likeliest_words_of_each_beam_are_enough(width: int, seed: int) -> None:
    whole = np.random.default_rng(seed).normal(0, 2, (2, 40, 40))

    def step(kept: int, ids: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        words, log_probabilities = every_word(whole[np.arange(2)[:, None], ids])
        best = np.argsort(-log_probabilities, axis=-1)[..., :kept]
        return np.take_along_axis(words, best, -1), np.take_along_axis(log_probabilities, best, -1)

    config = DecodingConfig(width, 0.7, 6)
    few, every = (beam_search(partial(step, kept), 2, config) for kept in (candidates(width), 40))
    assert [[each.ids for each in best] for best in few] == [[each.ids for each in best] for best in every]


@pytest.mark.parametrize("width", [1, 3])
def test_repeating_a_rare_word_costs_its_fine_and_a_common_one_nothing(width: int) -> None:
    language = Bigrams(3)
    free = beam_search(language.step, 3, DecodingConfig(width, 0.5, 8, repetition_penalty=50, common_words=3))
    assert free == beam_search(language.step, 3, DecodingConfig(width, 0.5, 8, common_words=3))
    fined = beam_search(language.step, 3, DecodingConfig(width, 0.5, 8, repetition_penalty=50, common_words=0))
    assert any(len(set(h.ids)) < len(h.ids) for found in free for h in found)
    for photo, found in enumerate(fined):
        for hypothesis in found:
            ended = len(hypothesis.word_log_probabilities) > len(hypothesis.ids)
            truth = language.log_probability(photo, spell(hypothesis), ended)
            assert hypothesis.log_probability == pytest.approx(truth)  # the fine ranks, it is no probability
            fine = 50 * (len(hypothesis.ids) - len(set(hypothesis.ids)))
            assert hypothesis.score == pytest.approx((truth - fine) / (len(hypothesis.ids) + 1) ** 0.5)
