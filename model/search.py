"""Beam search, pure NumPy: scores in, ids out. It knows no files, no photos and no text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from model.config import DecodingConfig
from model.tokenizer import END, PAD, RESERVED, START, UNKNOWN

# (ids (B, K) last words, parents (B, K) the beam each of them continues) -> the words that may follow each beam, and
# the log-probability of each, both (B, K, N): all words, or at least the `candidates` likeliest, in any order
Step = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
_NEVER = (PAD, START, UNKNOWN)


@dataclass(frozen=True)
class Hypothesis:
    """Word ids without START and END, and the sum of their log-probabilities (natural, END included)."""

    ids: tuple[int, ...]
    log_probability: float
    score: float  # what hypotheses are ranked by, see `score`
    word_log_probabilities: tuple[float, ...]  # of each id and of END (no END if cut); their sum is log_probability


def candidates(beam_width: int) -> int:
    """How many of its likeliest words a beam must offer: twice the width, as many as one beam can win, and the
    forbidden ones, those that no caption holds and the word before. Fined words are not made up for: what would
    stand in for them is too unlikely to matter.
    """
    return 2 * beam_width + len(_NEVER) + 1


def beam_search(step: Step, photos: int, config: DecodingConfig) -> list[list[Hypothesis]]:
    """The best captions of each photo, best first, at least one and at most `beam_width`.

    Width 1 is greedy search. A beam that ends among the best `beam_width` candidates is set aside; a photo is done
    when `beam_width` of them are. No word follows itself, and a caption is cut after `max_words` words.
    """
    width = config.beam_width
    ids, parents = np.full((photos, width), START), np.zeros((photos, width), int)
    totals = np.full((photos, width), -np.inf)
    totals[:, 0] = 0.0  # all beams start alike, so only the first counts
    words, sums = np.empty((photos, width, 0), int), np.empty((photos, width, 0))  # and the totals after each word
    done: list[list[Hypothesis]] = [[] for _ in range(photos)]
    for _ in range(config.max_words):
        following, log_probabilities = step(ids, parents)
        gains = log_probabilities - config.repetition_penalty * _repeats(following, words, config)
        scores = totals[:, :, None] + np.where(_forbidden(following, ids), -np.inf, gains)
        ranked, beams, tokens = _best(scores, following, 2 * width)
        ended = tokens == END
        for photo, rank in zip(*np.nonzero(ended[:, :width] & np.isfinite(ranked[:, :width])), strict=True):
            if len(done[photo]) < width:
                beam, total = beams[photo, rank], ranked[photo, rank]
                done[photo].append(_hypothesis(words[photo, beam], [*sums[photo, beam], total], config))
        alive = np.argsort(ended, axis=1, kind="stable")[:, :width]  # the best ones that go on, in order
        totals, parents, ids = (pick(x, alive) for x in (ranked, beams, tokens))
        totals[ids == END] = -np.inf
        words, sums = _longer(words, parents, ids), _longer(sums, parents, totals)
        if all(len(found) >= width for found in done):
            break
    for photo, found in enumerate(done):
        for beam in range(width):  # a caption that never ended counts as it stands
            if len(found) < width and np.isfinite(totals[photo, beam]):
                found.append(_hypothesis(words[photo, beam], sums[photo, beam], config))
    return [sorted(found, key=lambda hypothesis: -hypothesis.score) for found in done]


def pick(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(B, K, …) and (B, N) places among the K -> (B, N, …). NumPy's own `take_along_axis` takes thrice as long."""
    return values[np.arange(len(values))[:, None], index]


def score(ids: Sequence[int], log_probability: float, config: DecodingConfig) -> float:
    """What captions are ranked by. Without the length short ones win, since every word lowers the sum; END counts."""
    fines = config.repetition_penalty * sum(_said_before(ids, config))
    return (log_probability - fines) / (len(ids) + 1) ** config.length_penalty


def _said_before(ids: Sequence[int], config: DecodingConfig) -> list[bool]:
    """Of each word, whether the caption holds it before that place, common words aside."""
    return [ids[place] >= RESERVED + config.common_words and ids[place] in ids[:place] for place in range(len(ids))]


def _repeats(following: np.ndarray, words: np.ndarray, config: DecodingConfig) -> np.ndarray:
    """The same of words that may follow: (B, K, N) after the words (B, K, T) of the beams."""
    rare = following >= RESERVED + config.common_words
    return rare & (following[:, :, :, None] == words[:, :, None, :]).any(axis=3)


def _forbidden(following: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """The ids that no caption holds, and a word after itself."""
    reserved = (following < RESERVED) & (following != END)
    return reserved | (following == previous[:, :, None])


def _best(scores: np.ndarray, following: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(B, K, N) scores and words -> the `count` best of each photo: scores, beams and words, (B, count), best first."""
    flat = scores.reshape(len(scores), -1)
    top = np.argsort(-flat, axis=1, kind="stable")[:, :count]
    return pick(flat, top), top // scores.shape[2], pick(following.reshape(flat.shape), top)


def _longer(prefixes: np.ndarray, parents: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(B, K, T) and what each beam adds to its parent's -> (B, K, T + 1)."""
    return np.concatenate([pick(prefixes, parents), last[:, :, None]], axis=2)


def _hypothesis(ids: np.ndarray, sums: Sequence[float], config: DecodingConfig) -> Hypothesis:
    """`sums` are the totals after each word, fines included, the whole caption's last."""
    words = tuple(map(int, ids))
    steps = np.diff(sums, prepend=0.0)
    steps[: len(words)] += config.repetition_penalty * np.array(_said_before(words, config))
    total = float(steps.sum())
    return Hypothesis(words, total, score(words, total, config), tuple(map(float, steps)))
