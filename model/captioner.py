"""The public API: photos in, sentences out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Self, overload

import numpy as np
from PIL import Image

from model import runtime  # before anything that imports Keras: it chooses what Keras runs on
from model.bundle import Bundle, load_bundle
from model.confidence import Confidence
from model.config import DecodingConfig
from model.encoder import input_size
from model.generation import Generator
from model.image import load_pixels
from model.search import Hypothesis

Source = str | Path | bytes | Image.Image | np.ndarray


@dataclass(frozen=True, eq=False)
class WordAttention:
    """A word as it stands in the caption, and the share that each cell of the grid had in it: (G,), sums to 1."""

    word: str
    weights: np.ndarray


@dataclass(frozen=True)
class Attention:
    """Where the network looked for each word; `grid` is (rows, columns), its cells in reading order."""

    grid: tuple[int, int]
    words: tuple[WordAttention, ...]


@dataclass(frozen=True)
class Caption:
    """A sentence, and how sure the network is of it.

    `log_probability` is the sum of the natural log-probabilities of its words (0 is certain, lower is less so);
    `confidence`, in (0, 1), is how good the caption is likely to be (see `model/confidence.py`), None where the
    artifact has none; `attention` is None unless asked for.
    """

    text: str
    log_probability: float
    confidence: float | None = None
    attention: Attention | None = None


@dataclass(frozen=True)
class Result:
    """Captions of one photo, best first; seconds of `decode`, `encode`, `search` and, if asked for, `attention`.

    The seconds are the batch's mean a photo.
    """

    captions: tuple[Caption, ...]
    seconds: dict[str, float]


class CaptionGenerator:
    """Captions photos with a trained artifact.

    >>> captioner = CaptionGenerator.load("artifacts")
    >>> captioner.predict("dog.jpg")
    'a dog runs through the grass'

    A photo is a path, the bytes of a file, a Pillow image or an RGB array (height, width, 3) of uint8. Not promised
    to be thread-safe: hold a lock, or give each thread its own.
    """

    def __init__(self, bundle: Bundle, precision: runtime.Precision = "fastest") -> None:
        self._config, self._tokenizer = bundle.config, bundle.tokenizer
        self._size = input_size(bundle.encoder)
        self._encode = runtime.compiled_network(bundle.encoder, precision, bundle.config.encoder.get("ranges"))
        fitted = bundle.config.confidence
        self._confidence = None if fitted is None else Confidence.from_dict(fitted)
        self._generator = Generator(bundle.decoder, precision)

    @classmethod
    def load(cls, artifacts: str | Path = "artifacts", precision: runtime.Precision = "fastest") -> Self:
        """Load a trained artifact. Raises ArtifactError, one line that names the file and the remedy.

        Unless `float32` is asked for, it computes in int8 and bfloat16 where the CPU has units for them.
        """
        captioner = cls(load_bundle(artifacts), precision)
        runtime.give_memory_back()
        return captioner

    @overload
    def predict(self, photos: Source, beam_width: int | None = None) -> str: ...
    @overload
    def predict(self, photos: list[Source], beam_width: int | None = None) -> list[str]: ...
    def predict(self, photos: Source | list[Source], beam_width: int | None = None) -> str | list[str]:
        """The best caption of a photo; of each photo, if a list is given. Raises ImageError."""
        if isinstance(photos, list):
            return [result.captions[0].text for result in self.generate(photos, 1, beam_width)]
        return self.generate([photos], 1, beam_width)[0].captions[0].text

    def caption(self, photo: Source, num_captions: int = 3, beam_width: int | None = None) -> tuple[Caption, ...]:
        """The best captions of a photo with their confidences, best first. Raises ImageError."""
        return self.generate([photo], num_captions, beam_width)[0].captions

    def read(self, photo: Source) -> np.ndarray:
        """The pixels that the network sees of a photo: uint8 (height, width, 3), which the other methods take too.

        Unlike those it may be called from several threads at once. Raises ImageError.
        """
        return load_pixels(photo, self._size)

    def generate(
        self,
        photos: Sequence[Source],
        num_captions: int = 1,
        beam_width: int | None = None,
        attention: bool = False,
        check: Callable[[], None] | None = None,
    ) -> list[Result]:
        """One batch: the best captions of each photo, and the time each part took.

        At most `beam_width` captions come back for a photo; width 1 is greedy search. With `attention` the best
        caption of each photo tells where the network looked. `check` is called between the parts and before each
        word; what it raises ends the work. Raises ImageError for a photo that cannot be read, SettingsError for an
        impossible beam width, NoAttention where the artifact's decoder has none.
        """
        if not photos:
            return []
        decoding = self._decoding if beam_width is None else replace(self._decoding, beam_width=beam_width)
        started = perf_counter()
        pixels = np.stack([self.read(photo) for photo in photos])
        decoded = perf_counter()
        if check is not None:
            check()
        features = self._encode(pixels)
        encoded = perf_counter()
        found = self._generator.search(features, decoding, check)
        searched = perf_counter()
        times = {"decode": decoded - started, "encode": encoded - decoded, "search": searched - encoded}
        looks: Sequence[Attention | None] = [None] * len(photos)
        if attention:
            looks = self._attend(features, [best[0] for best in found])
            times["attention"] = perf_counter() - searched
        seconds = {part: time / len(photos) for part, time in times.items()}
        captions = (self._spell(best, look)[:num_captions] for best, look in zip(found, looks, strict=True))
        return [Result(best, seconds) for best in captions]

    def warm_up(self) -> None:
        """Caption a blank picture in every way there is, so that the first photo does not wait for compilation."""
        self.generate([np.full((8, 8, 3), 128, np.uint8)], attention=self._generator.has_attention)

    @property
    def device(self) -> str:
        """Where it computes, "cpu" or "gpu"."""
        return runtime.device()

    @property
    def beam_width(self) -> int:
        """The width used unless another is asked for."""
        return self._decoding.beam_width

    @property
    def info(self) -> dict[str, Any]:
        """What a client may want to know of the model."""
        config = self._config
        return {
            "name": config.name,
            "version": config.version,
            "encoder": config.encoder["name"],
            "decoder": config.decoder.kind,
            "vocabulary": len(self._tokenizer.words),
            "beam_width": self.beam_width,
            "length_penalty": self._decoding.length_penalty,
            "attention": self._generator.has_attention,
        }

    @property
    def _decoding(self) -> DecodingConfig:
        return self._config.decoding

    def _spell(self, found: list[Hypothesis], look: Attention | None) -> tuple[Caption, ...]:
        """All hypotheses of one photo: confidence in one depends on the others; `look` belongs to the best."""
        ratings = self._confidence.rate(found) if self._confidence else (None,) * len(found)
        best, *others = (
            Caption(self._tokenizer.decode(one.ids), one.log_probability, rating)
            for one, rating in zip(found, ratings, strict=True)
        )
        return (replace(best, attention=look), *others)

    def _attend(self, features: np.ndarray, captions: list[Hypothesis]) -> list[Attention]:
        looks = self._generator.attend(features, [caption.ids for caption in captions])
        spelled = ([self._tokenizer.decode([index]) for index in caption.ids] for caption in captions)
        _, rows, columns, _ = features.shape
        return [
            Attention((rows, columns), tuple(map(WordAttention, words, weights)))
            for words, weights in zip(spelled, looks, strict=True)
        ]
