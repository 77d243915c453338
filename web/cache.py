"""Captions by content: the same photo, asked for in the same way, is captioned once.

The first key is the digest of the upload, so that the same file need not even be decoded; the second that of the pixels
that the network sees, so that the same picture in another file is found too. No photo is kept, only digests, captions
and, where it was asked for, attention.
"""

import json
import math
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from web.stores import MemoryStore, NoStore, RedisStore, Store
from web.uploads import Options

if TYPE_CHECKING:
    from model.captioner import Attention, Caption

    Captions = tuple[Caption, ...]

FORMAT = 1  # of the entries: a new one never reads the old


def open_store(redis_url: str, megabytes: int) -> Store:
    """The store that the settings ask for."""
    if redis_url:
        return RedisStore(redis_url)
    return MemoryStore(megabytes * 2**20) if megabytes else NoStore()


class CaptionCache:
    """The captions of one artifact."""

    def __init__(self, store: Store, artifact: str) -> None:
        """`artifact` is a digest of it: another network never answers from these entries."""
        self._store, self._artifact = store, artifact

    def key(self, content: bytes | np.ndarray, options: Options) -> str:
        """Of an upload, or of the pixels (height, width, 3) that the network sees."""
        kind, data = ("upload", content) if isinstance(content, bytes) else ("pixels", content.tobytes())
        asked = f"{options.num_captions}:{options.beam_width}:{int(options.return_attention)}"
        return f"captions:{FORMAT}:{self._artifact}:{asked}:{kind}:{sha256(data).hexdigest()}"

    def read(self, key: str) -> "Captions | None":
        """The captions kept under `key`, best first; None if there are none, or nonsense in their place."""
        value = self._store.read(key)
        try:
            return None if value is None else _captions(json.loads(value))
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
            return None

    def keep(self, keys: Sequence[str], captions: "Captions") -> None:
        """Under each of `keys`."""
        value = json.dumps([_entry(caption) for caption in captions]).encode()
        self._store.keep(keys, value)


def _entry(caption: "Caption") -> dict[str, Any]:
    attention = caption.attention and {
        "grid": caption.attention.grid,
        "words": [
            [word.word, [round(float(weight), 6) for weight in word.weights]] for word in caption.attention.words
        ],
    }
    return {
        "text": caption.text,
        "log_probability": caption.log_probability,
        "confidence": caption.confidence,
        "attention": attention,
    }


def _captions(entries: Any) -> "Captions":
    """Inverse of `_entry`, for each. Raises all that `read` expects for anything else."""
    from model.captioner import Caption  # late: whoever has captions has loaded it

    captions = tuple(
        Caption(
            _text(entry["text"]),
            _number(entry["log_probability"]),
            None if entry["confidence"] is None else _number(entry["confidence"]),
            None if entry["attention"] is None else _attention(entry["attention"]),
        )
        for entry in entries
    )
    if not captions:
        raise ValueError("an entry holds at least one caption")
    return captions


def _text(value: Any) -> str:
    str.encode(value)  # half a surrogate pair passes as JSON, and could be sent to no one
    return str.strip(value)


def _number(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError("JSON for clients holds finite numbers only")
    return float(value)


def _attention(entry: Any) -> "Attention":
    from model.captioner import Attention, WordAttention

    rows, columns = map(int, entry["grid"])
    words = tuple(WordAttention(_text(word), np.array(weights, float)) for word, weights in entry["words"])
    if not all(word.weights.shape == (rows * columns,) and np.isfinite(word.weights).all() for word in words):
        raise ValueError("attention holds a weight for each cell of its grid")
    return Attention((rows, columns), words)
