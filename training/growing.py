"""A trained vocabulary and its decoder, with more words than they were trained with."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from keras import ops

from model.bundle import build_decoder
from model.decoder import Decoder
from model.tokenizer import RESERVED, Tokenizer

_RARE = 0.25  # a new word begins like those of the rarest quarter; a vocabulary is sorted by frequency


def grow_tokenizer(known: Tokenizer, captions: Iterable[str], min_count: int) -> Tokenizer:
    """The words of `known` with their ids, then the new ones that occur at least `min_count` times."""
    old = set(known.words)
    return Tokenizer((*known.words, *(word for word in Tokenizer.fit(captions, min_count).words if word not in old)))


def grow_decoder(trained: Decoder, words: int, *, dropout: float, seed: int) -> Decoder:
    """A copy that knows `words` more words and gives the old ones the logits that they had.

    Embeddings of new words are drawn from a normal distribution with the mean and deviation of the rarest old words',
    component by component; their bias is the mean of theirs. So a new word is no likelier than a rare one until it has
    been trained, and unlike every other (Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language
    Models", with a diagonal covariance).
    """
    known = trained.config.vocabulary
    rarest = slice(known - max(1, round(_RARE * (known - RESERVED))), known)
    rows, bias = (ops.convert_to_numpy(part) for part in (trained.embedding.embeddings, trained.logits_bias))
    random, rare = np.random.default_rng(seed), rows[rarest]
    new_rows = random.normal(rare.mean(axis=0), rare.std(axis=0), (words, rows.shape[1]))
    grown = build_decoder(replace(trained.config, vocabulary=known + words, dropout=dropout))
    longer = {
        grown.embedding.embeddings.path: np.concatenate([rows, new_rows]),
        grown.logits_bias.path: np.concatenate([bias, np.full(words, bias[rarest].mean())]),
    }
    for old, new in zip(trained.weights, grown.weights, strict=True):
        new.assign(longer.get(new.path, old))
    return grown
