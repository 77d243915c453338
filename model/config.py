"""Frozen options, validated once, saved as JSON inside the artifact."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from model.confidence import Confidence
from model.errors import SettingsError

MAX_BEAM_WIDTH = 20


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingsError(message)


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the merge-style decoder; `vocabulary` counts the four reserved ids.

    `cell` is what reads the words, `lstm_layers` how many of it, LSTM or GRU, stand on top of each other.
    """

    vocabulary: int
    channels: int
    kind: str = "attention"
    cell: str = "lstm"
    units: int = 512
    lstm_layers: int = 1
    heads: int = 8
    merge_blocks: int = 2
    dropout: float = 0.4

    def __post_init__(self) -> None:
        _require(self.kind in ("merge", "attention"), f"decoder must be merge or attention, not {self.kind!r}")
        _require(self.cell in ("lstm", "gru"), f"cell must be lstm or gru, not {self.cell!r}")
        _require(self.lstm_layers in (1, 2), f"lstm layers must be 1 or 2, not {self.lstm_layers}")
        _require(self.units > 0 and self.heads > 0, "units and heads must be positive")
        _require(self.units % self.heads == 0, f"units ({self.units}) must be a multiple of heads ({self.heads})")
        _require(self.merge_blocks >= 1, f"merge blocks must be at least 1, not {self.merge_blocks}")
        _require(0 <= self.dropout < 1, f"dropout must be in [0, 1), not {self.dropout}")
        _require(self.vocabulary > 4 and self.channels > 0, "the vocabulary needs words, the encoder channels")

    @property
    def states(self) -> int:
        """Tensors that a word hands to the next: hidden and cell state of each LSTM, the hidden state of each GRU."""
        return self.lstm_layers * (2 if self.cell == "lstm" else 1)


@dataclass(frozen=True)
class DecodingConfig:
    """How captions are searched: a sum of log-probabilities, less the fines for repetition, over length ** penalty.

    A word that stands in the caption already is fined, unless it is one of the `common_words` most frequent ones.
    """

    beam_width: int = 5
    length_penalty: float = 0.7
    max_words: int = 24
    repetition_penalty: float = 0.0
    common_words: int = 10

    def __post_init__(self) -> None:
        _require(
            1 <= self.beam_width <= MAX_BEAM_WIDTH,
            f"beam width must be 1 to {MAX_BEAM_WIDTH}, not {self.beam_width}",
        )
        _require(0 <= self.length_penalty <= 2, f"length penalty must be 0 to 2, not {self.length_penalty}")
        _require(1 <= self.max_words <= 100, f"a caption may hold 1 to 100 words, not {self.max_words}")
        _require(
            0 <= self.repetition_penalty <= 100, f"repetition penalty must be 0 to 100, not {self.repetition_penalty}"
        )
        _require(self.common_words >= 0, f"common words are counted from 0, not {self.common_words}")


@dataclass(frozen=True)
class BundleConfig:
    """What `artifacts/config.json` holds; `training` records the run that made it."""

    name: str
    version: str
    encoder: dict[str, Any]  # {"name", "grid": [h, w, channels], "source", "ranges": see model/quantization.py}
    decoder: DecoderConfig
    decoding: DecodingConfig
    training: dict[str, Any]
    confidence: dict[str, Any] | None = None  # `model.confidence.Confidence.to_dict()`; None where none was fitted

    def __post_init__(self) -> None:
        if self.confidence is not None:
            Confidence.from_dict(self.confidence)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_dict`. Raises KeyError or TypeError for other keys, SettingsError for bad values."""
        decoder, decoding = DecoderConfig(**data["decoder"]), DecodingConfig(**data["decoding"])
        return cls(**{**data, "decoder": decoder, "decoding": decoding})
