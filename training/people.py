"""What people reach: one person's caption of a photo against those of the others, as the published row has it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.fluency import fluency
from training.metrics import photo_ciders

_ROUNDS = 5  # each holds out another caption of every photo


@dataclass(frozen=True)
class People:
    """CIDEr of every caption that was held out, ascending; how they read, the mean of the rounds."""

    ciders: tuple[float, ...]
    fluency: dict[str, float]

    @property
    def mean_cider(self) -> float:
        """What a person scores on average."""
        return sum(self.ciders) / len(self.ciders)

    def surpassed_by(self, ciders: Sequence[float] | np.ndarray) -> np.ndarray:
        """The share of people's captions with a lower CIDEr than each of `ciders`; equal ones count half."""
        below, up_to = (np.searchsorted(self.ciders, ciders, side) for side in ("left", "right"))
        return (below + up_to) / (2 * len(self.ciders))


def measure_people(captions: Mapping[str, Sequence[str]], training_captions: Iterable[str] = ()) -> People | None:
    """Captions by photo name, as raw text; None where no photo has two of them."""
    shared = {name: list(texts) for name, texts in captions.items() if len(texts) > 1}
    if not shared:
        return None
    rounds = range(min(_ROUNDS, max(map(len, shared.values()))))
    ciders: list[float] = []
    reads, seen = [], list(training_captions)
    for number in rounds:
        held_out = {name: texts[number % len(texts)] for name, texts in shared.items()}
        others = {name: _without(texts, number % len(texts)) for name, texts in shared.items()}
        ciders += photo_ciders(others, held_out).values()
        reads.append(fluency(held_out.values(), seen))
    means = {key: round(sum(read[key] for read in reads) / len(reads), 4) for key in reads[0]}
    return People(tuple(sorted(ciders)), means)


def _without(texts: Sequence[str], position: int) -> list[str]:
    return [*texts[:position], *texts[position + 1 :]]
