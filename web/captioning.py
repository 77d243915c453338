"""One captioner, shared by the threads of a worker."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from model.errors import NoAttention
from model.quiet import quiet_import
from web.admission import Deadline, Door, turn
from web.batches import Batches
from web.cache import CaptionCache
from web.logs import write_log
from web.problems import Problem
from web.uploads import Options

if TYPE_CHECKING:
    from model.captioner import Attention, Caption, Result


READERS = 2  # photos decoded at once, beside the one that is captioned: each may take 200 MB meanwhile
PATIENCE_SECONDS = 0.5  # how long a health check waits for the captioner; it has to answer within a second


class Captioner(Protocol):
    """What the server needs of `model.captioner.CaptionGenerator`."""

    @property
    def beam_width(self) -> int:
        """The width unless a client asks for another."""

    @property
    def device(self) -> str:
        """Where it computes, "cpu" or "gpu"."""

    @property
    def info(self) -> Mapping[str, object]:
        """What clients may know of the model."""

    def read(self, photo: bytes) -> np.ndarray:
        """The pixels that the network sees, (height, width, 3); called by several threads. Raises ImageError."""

    def generate(
        self,
        photos: Sequence[np.ndarray],
        num_captions: int,
        beam_width: int,
        attention: bool,
        check: Callable[[], None],
        /,
    ) -> "Sequence[Result]":
        """The best captions of each photo, unless `check` raises, which is called again and again meanwhile.

        Raises NoAttention where there is none to show.
        """

    def warm_up(self) -> None:
        """Caption a blank picture."""


def load_captioner(artifacts: Path) -> Captioner:
    """The captioner of an artifact, warm. Raises ArtifactError."""
    with quiet_import():  # of TensorFlow: not before it is needed, and never before a fork
        from model.captioner import CaptionGenerator

    captioner = CaptionGenerator.load(artifacts)
    captioner.warm_up()
    return captioner


@dataclass(frozen=True)
class Answer:
    """What the network says about a photo, best first, and the seconds that each part took."""

    captions: "tuple[Caption, ...]"
    cached: bool
    model: Mapping[str, object]
    seconds: Mapping[str, float]

    def as_json(self) -> dict[str, object]:
        """The body of a successful answer."""
        best, candidates = self.captions[0], [_candidate(each) for each in self.captions]
        return {
            "caption": best.text,
            "confidence": candidates[0]["confidence"],
            "captions": candidates,
            **({} if best.attention is None else {"attention": _attention(best.attention)}),
            "cached": self.cached,
            "model": dict(self.model),
            "seconds": self.rounded_seconds,
        }

    @property
    def rounded_seconds(self) -> dict[str, float]:
        """To a tenth of a millisecond."""
        return {part: round(spent, 4) for part, spent in self.seconds.items()}


def _candidate(caption: "Caption") -> dict[str, object]:
    confidence = None if caption.confidence is None else round(caption.confidence, 3)
    return {"caption": caption.text, "confidence": confidence, "log_probability": caption.log_probability}


def _attention(attention: "Attention") -> dict[str, object]:
    words = [{"word": each.word, "weights": [round(float(x), 6) for x in each.weights]} for each in attention.words]
    return {"grid": list(attention.grid), "words": words}


class CaptionService:
    """Captions uploads, those that wait together in batches.

    At most `max_waiting` more wait for their turn; whoever comes then is told at once to come back later. A photo that
    is known need not wait.
    """

    def __init__(self, captioner: Captioner, cache: CaptionCache, max_waiting: int) -> None:
        self.captioner = captioner
        self._cache = cache
        self._door = Door(max_waiting + 1)
        self.draining = False  # set once the server has been asked to stop
        self._reading = Semaphore(READERS)
        self._batches = Batches(self._generate)
        self._in_doubt = False

    def caption(self, upload: bytes, options: Options, deadline: Deadline) -> Answer:
        """`total` counts the wait for the captions before this one.

        Raises ImageError, NoAttention, and Problem `busy` or `deadline`.
        """
        started, key = perf_counter(), self._cache.key(upload, options)
        captions = self._cache.read(key)
        cached, seconds = captions is not None, dict[str, float]()
        if captions is None:
            with self._door:
                captions, cached, seconds = self._look(upload, key, options, deadline)
        seconds = {**seconds, "total": perf_counter() - started}
        return Answer(captions, cached, self.captioner.info, seconds)

    def _look(
        self, upload: bytes, key: str, options: Options, deadline: Deadline
    ) -> "tuple[tuple[Caption, ...], bool, dict[str, float]]":
        """The captions, whether they were known from another file with the same picture, and the seconds it took."""
        with turn(self._reading, deadline):
            started = perf_counter()
            pixels = self.captioner.read(upload)
            seconds = {"decode": perf_counter() - started}
        key_of_pixels = self._cache.key(pixels, options)
        if (known := self._cache.read(key_of_pixels)) is not None:
            self._cache.keep([key], known)
            return known, True, seconds
        result = self._batches.caption(pixels, options, deadline)
        self._cache.keep([key, key_of_pixels], result.captions)
        return result.captions, False, {**result.seconds, **seconds}

    def is_ready(self) -> bool:
        """False while the server drains, or the last caption failed for a reason of ours and a blank one fails too."""
        if self._in_doubt and self._batches.lock.acquire(timeout=PATIENCE_SECONDS):  # else someone is just trying it
            try:
                self._try_again()
            finally:
                self._batches.lock.release()
        return not (self._in_doubt or self.draining)

    def _generate(
        self, photos: Sequence[np.ndarray], options: Options, check: Callable[[], None]
    ) -> "Sequence[Result]":
        try:
            results = self.captioner.generate(
                photos, options.num_captions, options.beam_width, options.return_attention, check
            )
        except (NoAttention, Problem):
            raise
        except Exception:
            self._in_doubt = True
            raise
        self._in_doubt = False
        return results

    def _try_again(self) -> None:
        try:
            self.captioner.warm_up()
        except Exception as error:  # whatever it is, the answer is "not healthy", and the reason is in the log
            write_log("the captioner cannot caption a blank picture", level=logging.ERROR, error=error)
        else:
            self._in_doubt = False
