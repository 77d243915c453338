"""The public API: photos in, sentences out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Self, overload

import numpy as np
from PIL import Image

from model.bundle import Bundle, load_bundle
from model.config import DecodingConfig
from model.encoder import input_size
from model.generation import Generator
from model.image import load_pixels
from model.runtime import device
from model.search import Hypothesis

Source = str | Path | bytes | Image.Image | np.ndarray


@dataclass(frozen=True)
class Caption:
    """A sentence, and the sum of the natural log-probabilities of its words (0 is certain, lower is less so)."""

    text: str
    log_probability: float


@dataclass(frozen=True)
class Result:
    """Captions of one photo, best first; seconds of `decode`, `encode` and `search`, the batch's mean a photo."""

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

    def __init__(self, bundle: Bundle) -> None:
        self._config, self._tokenizer, self._encoder = bundle.config, bundle.tokenizer, bundle.encoder
        self._generator = Generator(bundle.decoder)

    @classmethod
    def load(cls, artifacts: str | Path = "artifacts") -> Self:
        """Load a trained artifact. Raises ArtifactError, one line that names the file and the remedy."""
        return cls(load_bundle(artifacts))

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
        """The best captions of a photo with their log-probabilities, best first. Raises ImageError."""
        return self.generate([photo], num_captions, beam_width)[0].captions

    def generate(self, photos: Sequence[Source], num_captions: int = 1, beam_width: int | None = None) -> list[Result]:
        """One batch: the best captions of each photo, and the time each part took.

        At most `beam_width` captions come back for a photo; width 1 is greedy search. Raises ImageError for a photo
        that cannot be read, SettingsError for an impossible beam width.
        """
        if not photos:
            return []
        decoding = self._decoding if beam_width is None else replace(self._decoding, beam_width=beam_width)
        started = perf_counter()
        pixels = np.stack([load_pixels(photo, input_size(self._encoder)) for photo in photos])
        decoded = perf_counter()
        features = np.asarray(self._encoder.predict_on_batch(pixels))
        encoded = perf_counter()
        found = self._generator.search(features, decoding)
        times = (decoded - started, encoded - decoded, perf_counter() - encoded)
        seconds = {part: time / len(photos) for part, time in zip(("decode", "encode", "search"), times, strict=True)}
        return [Result(tuple(map(self._spell, best[:num_captions])), seconds) for best in found]

    def warm_up(self) -> None:
        """Caption a blank picture, so that the first photo does not wait for compilation."""
        self.generate([np.full((8, 8, 3), 128, np.uint8)])

    @property
    def device(self) -> str:
        """Where it computes, "cpu" or "gpu"."""
        return device()

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
        }

    @property
    def _decoding(self) -> DecodingConfig:
        return self._config.decoding

    def _spell(self, hypothesis: Hypothesis) -> Caption:
        return Caption(self._tokenizer.decode(hypothesis.ids), hypothesis.log_probability)
