"""How captions read, whatever the references say: cheap counts that CIDEr does not see."""

from collections.abc import Iterable
from itertools import pairwise

from model.tokenizer import Tokenizer

# A caption that ends so was most likely cut off. Some of these also end whole sentences ("a man looks on"):
# 1.3 % of Flickr8k's own captions do. "Up", "down", "out", "inside", "outside" do so too often to count.
_ENDINGS = """
    a an the and or as while about above across after against along among around at before behind below
    beneath beside between beyond by during for from in into near next of off on onto over past through to
    toward towards under underneath upon with within without
"""
OPEN_ENDINGS = frozenset(_ENDINGS.split())


def fluency(captions: Iterable[str], training_captions: Iterable[str]) -> dict[str, float]:
    """Counts over captions, as raw text; shares are fractions of the captions.

    Keys: `distinct_words`, `mean_words`, `open_endings` (last word is an article or a preposition),
    `immediate_repeats` (a word follows itself), `repeated_pairs` (two words in a row occur twice),
    `not_in_training` (no training caption has the same words).
    """
    sentences = [tuple(Tokenizer.split(caption)) for caption in captions]
    seen = {tuple(Tokenizer.split(caption)) for caption in training_captions}
    return {
        "distinct_words": len({word for words in sentences for word in words}),
        "mean_words": _share(len(words) for words in sentences),
        "open_endings": _share(words[-1:] != () and words[-1] in OPEN_ENDINGS for words in sentences),
        "immediate_repeats": _share(any(a == b for a, b in pairwise(words)) for words in sentences),
        "repeated_pairs": _share(_repeats_a_pair(words) for words in sentences),
        "not_in_training": _share(words not in seen for words in sentences),
    }


def _repeats_a_pair(words: tuple[str, ...]) -> bool:
    pairs = list(pairwise(words))
    return len(set(pairs)) < len(pairs)


def _share(values: Iterable[float]) -> float:
    numbers = list(values)
    return round(sum(numbers) / len(numbers), 4) if numbers else 0.0
