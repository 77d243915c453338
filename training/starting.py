"""What a training starts from: an encoder alone, or everything that an artifact holds."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from model.bundle import Bundle, build_decoder, load_bundle
from model.config import DecoderConfig, DecodingConfig
from model.decoder import Decoder
from model.encoder import build_encoder
from model.tokenizer import Tokenizer
from training.growing import grow_decoder, grow_tokenizer
from training.listing import some
from training.options import TrainingOptions


@dataclass(frozen=True)
class Start:
    """The encoder to train from, where its weights once came from, and the artifact it lay in, if any."""

    encoder: keras.Model
    source: dict[str, str]
    artifact: Bundle | None

    @property
    def record(self) -> dict[str, Any] | None:
        """How the artifact was trained, for the record of the run that goes on from it."""
        if self.artifact is None:
            return None
        config = self.artifact.config
        return {"name": config.name, "version": config.version, "training": config.training}

    @property
    def decoding(self) -> DecodingConfig | None:
        """How the artifact searches."""
        return self.artifact.config.decoding if self.artifact else None

    def describe(self, tokenizer: Tokenizer) -> str:
        """How large the vocabulary is, and what is new in it."""
        known = len(self.artifact.tokenizer.words) if self.artifact else 0
        new = tokenizer.words[known:]
        told = f", {len(new):,} of them new ({some(new, 8)})" if known and new else ""
        return f"vocabulary: {len(tokenizer.words):,} words{told}"

    def networks(self, captions: Iterable[str], options: TrainingOptions) -> tuple[Tokenizer, Decoder]:
        """Vocabulary and decoder: made for these captions, or the artifact's and what is new in these."""
        if self.artifact is not None:
            known = self.artifact.tokenizer
            tokenizer = grow_tokenizer(known, captions, options.min_count)
            new = len(tokenizer) - len(known)
            return tokenizer, grow_decoder(self.artifact.decoder, new, dropout=options.dropout, seed=options.seed)
        tokenizer = Tokenizer.fit(captions, options.min_count)
        sizes = DecoderConfig(
            vocabulary=len(tokenizer),
            channels=self.encoder.output_shape[-1],
            kind=options.decoder,
            cell=options.cell,
            units=options.units,
            lstm_layers=options.lstm_layers,
            heads=options.heads,
            merge_blocks=options.merge_blocks,
            dropout=options.dropout,
        )
        return tokenizer, build_decoder(sizes)


def start(options: TrainingOptions) -> Start:
    """What the options name. Raises ArtifactError or EncoderError."""
    if options.init is not None:
        artifact = load_bundle(options.init)
        return Start(artifact.encoder, artifact.config.encoder["source"], artifact)
    encoder = build_encoder(options.encoder, options.encoder_weights)
    source = {"name": Path(options.encoder).name, "sha256": _digest(encoder)}
    if options.encoder_weights is not None:
        source["file"] = options.encoder_weights.name
    return Start(encoder, source, None)


def _digest(encoder: keras.Model) -> str:
    """SHA-256 over the weights, so that the model card can tell what they were."""
    digest = hashlib.sha256()
    for weight in encoder.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()
