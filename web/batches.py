"""Photos that wait at the same time are captioned together, which takes less time a photo than one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from web.admission import Deadline, turn
from web.uploads import Options

if TYPE_CHECKING:
    from model.captioner import Result

LARGEST = 8  # photos: more of them gain nothing on a CPU (docs/performance.md) and take memory
Generate = Callable[[Sequence[np.ndarray], Options, Callable[[], None]], "Sequence[Result]"]


@dataclass(eq=False)
class _Waiting:
    """A photo, until its thread wakes up and finds the result."""

    pixels: np.ndarray
    options: Options
    deadline: Deadline
    result: "Result | None" = None


class Batches:
    """One thread at a time captions, its own photo and those that came meanwhile and were asked about alike.

    Nobody waits for a batch to fill. Where one fails, so does the request whose thread it was, and the others try
    without it.
    """

    def __init__(self, generate: Generate) -> None:
        self.lock = Lock()  # of the captioner, which is not promised to be safe for several threads
        self._generate = generate
        self._waiting: list[_Waiting] = []

    def caption(self, pixels: np.ndarray, options: Options, deadline: Deadline) -> "Result":
        """Raises what `generate` raises, and Problem `deadline`."""
        mine = _Waiting(pixels, options, deadline)
        self._waiting.append(mine)
        try:
            with turn(self.lock, deadline):
                return mine.result or self._caption_with_others(mine)
        finally:
            self._waiting.remove(mine)

    def _caption_with_others(self, mine: _Waiting) -> "Result":
        others = (each for each in list(self._waiting) if each is not mine)
        alike = [each for each in others if each.options == mine.options and each.result is None]
        batch = [mine, *alike[: LARGEST - 1]]

        def check() -> None:
            if not any(each.deadline.seconds_left for each in batch):
                mine.deadline.check()

        results = self._generate([each.pixels for each in batch], mine.options, check)
        for each, result in zip(batch, results, strict=True):
            each.result = result
        return results[0]
