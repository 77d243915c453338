"""Text to token ids and back, in pure Python; one class for training and serving.

Words are cut as the Penn Treebank tokenizer of the caption scorers cuts them once its punctuation is removed
("The dog's t-shirt." becomes `the dog 's t-shirt`), so that what the network learns is what gets scored.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

# Ids that no text can produce: they stand before the vocabulary and have no spelling in it.
PAD, START, END, UNKNOWN = range(4)
RESERVED = 4

_CLITICS = "s|m|d|re|ve|ll"
_WORD = re.compile(
    rf"""
    can(?=not\b)                   # cannot -> can not
  | \w+?(?=n't\b) | n't\b          # don't -> do n't
  | '(?:{_CLITICS})\b              # dog's -> dog 's
  | [$#%&@]                        # kept by the Treebank as words of their own
  | \w+ (?: [.,:]\d+               # 1,000  7.5  10:30
          | [-/]+ \w+              # t-shirt  and/or
          | '(?!(?:{_CLITICS})\b)\w+   # o'clock
        )*
    """,
    re.VERBOSE,
)
_JOINED_LEFT = re.compile(rf" (n't|'(?:{_CLITICS}))(?= |$)")


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary: `words[i]` has the id `i + 4`; ids 0 to 3 are pad, start, end and unknown."""

    words: tuple[str, ...]

    @classmethod
    def fit(cls, captions: Iterable[str], min_count: int = 5) -> Self:
        """Keep the words that occur at least `min_count` times, most frequent first, ties by spelling."""
        counts = Counter(word for caption in captions for word in cls.split(caption))
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls(tuple(sorted(kept, key=lambda word: (-counts[word], word))))

    @staticmethod
    def split(text: str) -> list[str]:
        """Lower-case words without punctuation, as the scorers count them."""
        plain = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("_", " ")
        return _WORD.findall(plain)

    @staticmethod
    def join(words: Iterable[str]) -> str:
        """Words to a sentence; `split` gives the same words back."""
        return _JOINED_LEFT.sub(r"\1", " ".join(words))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words, start=RESERVED)}

    def __len__(self) -> int:
        """Number of ids, the four reserved ones included: the width of the logits."""
        return len(self.words) + RESERVED

    def encode(self, text: str) -> list[int]:
        """`[START, …, END]`; words outside the vocabulary become UNKNOWN."""
        return [START, *(self._ids.get(word, UNKNOWN) for word in self.split(text)), END]

    def decode(self, ids: Sequence[int]) -> str:
        """The sentence of `ids`; reserved ids have no spelling and are left out."""
        return self.join(self.words[index - RESERVED] for index in ids if index >= RESERVED)

    def to_json(self) -> str:
        """The vocabulary as JSON, one word a line so that two versions can be compared by eye."""
        return json.dumps({"words": self.words}, ensure_ascii=False, indent=0)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote. Raises ValueError if it is anything else."""
        data = json.loads(text)
        words = data.get("words") if isinstance(data, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise ValueError('a tokenizer is {"words": [non-empty strings]}')
        if len(set(words)) != len(words):
            raise ValueError("every word of a vocabulary must be unique")
        return cls(tuple(words))
