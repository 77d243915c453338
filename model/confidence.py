"""How good a caption is likely to be, from what the search knows of it. NumPy only: serving needs nothing else.

    confidence = Confidence.from_dict(bundle.config.confidence)    # where that is not None
    ratings = confidence.rate(found)                               # one number in (0, 1) a hypothesis

A rating is the share of people's own captions that this one is expected to surpass: 0.4 says that it probably agrees
with what others would write of the photo better than 40 in 100 captions that people wrote do. Agreement is measured
by CIDEr, a person's caption against the others of the same photo. `training/confidence.py` fits the model.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from model.errors import SettingsError
from model.tokenizer import RESERVED

if TYPE_CHECKING:  # the search reads model/config.py, which reads this
    from model.search import Hypothesis

SIGNALS = ("certainty", "words", "rareness", "rare_certainty", "agreement", "ending")
_RARE = 3  # words of a caption that say what is particular to the photo


def signals(found: Sequence["Hypothesis"]) -> np.ndarray:
    """The hypotheses of ONE photo -> (hypotheses, signals), float64, in the order of `SIGNALS`.

    certainty        mean log-probability of the words, END included
    words            how many there are
    rareness         mean log rank of its three rarest words (the vocabulary is sorted by frequency)
    rare_certainty   mean log-probability of these three
    agreement        mean share of words in common with each other hypothesis (Dice); NaN if there is no other
    ending           log-probability of END; NaN if the caption was cut
    """
    return np.array([_signals(one, [other for other in found if other is not one]) for one in found])


def _signals(one: "Hypothesis", others: Sequence["Hypothesis"]) -> list[float]:
    steps, count = np.array(one.word_log_probabilities), len(one.ids)
    ranks = np.log([index - RESERVED + 1 for index in one.ids])
    rarest = np.argsort(-ranks, kind="stable")[:_RARE]
    return [
        float(steps.mean()),
        float(count),
        float(ranks[rarest].mean()) if count else 0.0,
        float(steps[rarest].mean()) if count else float(steps.mean()),
        float(np.mean([_in_common(one.ids, other.ids) for other in others])) if others else np.nan,
        float(steps[count]) if len(steps) > count else np.nan,
    ]


def _in_common(first: Sequence[int], second: Sequence[int]) -> float:
    """Dice's coefficient of two bags of words."""
    shared = (Counter(first) & Counter(second)).total()
    return 2 * shared / max(1, len(first) + len(second))


@dataclass(frozen=True)
class Confidence:
    """A logistic model over standardised signals; `means`, `deviations` and `weights` in the order of `SIGNALS`."""

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def __post_init__(self) -> None:
        columns = np.array([self.means, self.deviations, self.weights], float)
        if columns.shape != (3, len(SIGNALS)) or not np.isfinite([*columns.flat, self.bias]).all():
            raise SettingsError(f"a confidence needs three finite numbers for each of {', '.join(SIGNALS)}, and a bias")
        if min(self.deviations) <= 0:
            raise SettingsError(f"deviations of a confidence must be positive, not {min(self.deviations)}")

    def rate(self, found: Sequence["Hypothesis"]) -> tuple[float, ...]:
        """The rating of each hypothesis of ONE photo, as they came, each in (0, 1)."""
        return tuple(float(rating) for rating in self.rate_signals(signals(found))) if found else ()

    def rate_signals(self, rows: np.ndarray) -> np.ndarray:
        """(N, signals) -> (N,) ratings; a signal that is NaN counts as average."""
        standard = np.nan_to_num((rows - np.array(self.means)) / np.array(self.deviations))
        return 1 / (1 + np.exp(-(standard @ np.array(self.weights) + self.bias)))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, every signal by name."""
        columns = zip(SIGNALS, self.means, self.deviations, self.weights, strict=True)
        named = {name: {"mean": mean, "deviation": size, "weight": weight} for name, mean, size, weight in columns}
        return {"bias": self.bias, "signals": named}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_dict`. Raises SettingsError for anything else."""
        try:
            named = data["signals"]
            if set(named) != set(SIGNALS):
                raise SettingsError(f"signals of a confidence must be {', '.join(SIGNALS)}, not {', '.join(named)}")

            def column(key: str) -> tuple[float, ...]:
                return tuple(float(named[name][key]) for name in SIGNALS)

            return cls(column("mean"), column("deviation"), column("weight"), float(data["bias"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError(f"a confidence must be what `Confidence.to_dict` gives; {error!r}") from error
