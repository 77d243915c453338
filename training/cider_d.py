"""CIDEr-D as a reward: fast, on sequences of any tokens, with document frequencies fixed beforehand.

Vedantam, Zitnick and Parikh 2015. Equal to `pycocoevalcap` on the same references; that one recounts the whole corpus
at each call, while a reward meets the same photos again and again.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache

Tokens = Sequence[Hashable]
Vector = tuple[list[dict[Tokens, float]], list[float], int]
_ORDERS = 4
_SIGMA = 6.0  # of the Gaussian that punishes another length


class CiderD:
    """Rewards captions of the photos whose references it was given: `references[photo][i]` is a list of tokens.

    It keeps the tokens and what occurs in several photos, and turns references into vectors when they are asked for:
    those of Flickr30k would fill a gigabyte.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]) -> None:
        frequency: Counter[tuple[Hashable, ...]] = Counter()
        for photo in references:
            frequency.update({gram for tokens in photo for gram in _grams(tokens)})
        self._frequency = {gram: count for gram, count in frequency.items() if count > 1}  # the others count as one
        self._photos = math.log(len(references))
        self._references = references
        self._vectors = lru_cache(maxsize=256)(self._vectors_of)  # more than the photos of a batch

    def reward(self, photo: int, tokens: Tokens) -> float:
        """The CIDEr-D of a caption of that photo; a person's caption scores about 0.8 against the others."""
        return _mean_similarity(self._vector(tokens), self._vectors(photo))

    def agreement(self, photo: int) -> list[float]:
        """The CIDEr-D of each of the photo's references against the others; it needs two or more."""
        vectors = self._vectors(photo)
        return [_mean_similarity(vectors[i], vectors[:i] + vectors[i + 1 :]) for i in range(len(vectors))]

    def _vectors_of(self, photo: int) -> list[Vector]:
        return [self._vector(tokens) for tokens in self._references[photo]]

    def _vector(self, tokens: Tokens) -> Vector:
        """tf-idf of the n-grams of each order, their Euclidean norms, the length (in pairs, as the library has it)."""
        vectors: list[dict[Tokens, float]] = [{} for _ in range(_ORDERS)]
        for gram, count in Counter(_grams(tokens)).items():
            vectors[len(gram) - 1][gram] = count * (self._photos - math.log(self._frequency.get(gram, 1)))
        norms = [math.sqrt(sum(weight * weight for weight in vector.values())) for vector in vectors]
        return vectors, norms, max(0, len(tokens) - 1)


def _mean_similarity(caption: Vector, references: Sequence[Vector]) -> float:
    vectors, norms, length = caption
    total = 0.0
    for theirs, their_norms, their_length in references:
        penalty = math.exp(-((length - their_length) ** 2) / (2 * _SIGMA**2))
        for order in range(_ORDERS):
            if norms[order] and their_norms[order]:
                other = theirs[order]
                shared = sum(min(w, other[gram]) * other[gram] for gram, w in vectors[order].items() if gram in other)
                total += penalty * shared / (norms[order] * their_norms[order])
    return 10 * total / (_ORDERS * len(references))


def _grams(tokens: Tokens) -> Iterator[tuple[Hashable, ...]]:
    tokens = tuple(tokens)
    for order in range(1, _ORDERS + 1):
        for start in range(len(tokens) - order + 1):
            yield tokens[start : start + order]
