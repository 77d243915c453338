"""The merge-style decoder: the LSTM (or GRU) reads words only, the photo meets its output.

    words ── embedding ── LSTM ──┐
                                 ├── merge ── logits          (Tanti, Gatt, Camilleri 2018)
    feature grid ────────────────┘

`merge` adds the pooled photo to the LSTM's output. `attention` lets the LSTM's output query the feature grid
(multi-head dot-product attention, Vaswani et al. 2017, queried by the LSTM's state as in Xu et al. 2015) and merges
what it finds; several such blocks may stand on top of each other. In both, the image never enters the LSTM, and the
logits share their matrix with the word embedding (Press and Wolf 2017).

Shapes: B photos, K captions (or beams) of each photo, T words, G = h × w grid cells, C channels, U units,
V vocabulary. All captions of a photo share what depends on the photo alone (`remember`), computed once.
"""

from typing import Any

import keras
from keras import layers, ops

from model.config import DecoderConfig

Tensor = Any
Tensors = list[Tensor]
Shape = tuple[int | None, ...]


class AttentionBlock(layers.Layer):
    """One meeting of words and photo: attention over the grid, then a small network, both residual."""

    def __init__(self, units: int, heads: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.head_units = heads, units // heads
        self.query_norm = layers.LayerNormalization(name="query_norm")
        self.query = layers.Dense(units, name="query")
        self.key = layers.Dense(units, name="key")
        self.value = layers.Dense(units, name="value")
        self.context = layers.Dense(units, name="context")
        self.hidden_norm = layers.LayerNormalization(name="hidden_norm")
        self.hidden = layers.Dense(2 * units, activation="relu", name="hidden")
        self.project = layers.Dense(units, name="project")
        self.dropout = layers.Dropout(dropout, name="dropout")

    def build(self, shape: Shape) -> None:
        """Make the variables of `call`, for words of `shape` (B, N, U)."""
        for layer in (self.query_norm, self.query, self.context, self.hidden_norm, self.hidden):
            layer.build(shape)
        self.project.build((*shape[:-1], self.hidden.units))

    def build_memory(self, shape: Shape) -> None:
        """Make the variables of `remember`, for a grid of `shape` (B, G, U)."""
        self.key.build(shape)
        self.value.build(shape)

    def remember(self, grid: Tensor) -> Tensors:
        """(B, G, U) -> keys and values, each (B, heads, G, U / heads)."""
        return [self._split_heads(self.key(grid)), self._split_heads(self.value(grid))]

    def call(self, words: Tensor, keys: Tensor, values: Tensor, training: bool = False) -> Tensors:
        """(B, N, U) words -> [the same shape, attention weights of each head (B, heads, N, G)]."""
        query = self._split_heads(self.query(self.query_norm(words)))
        weights = ops.softmax(ops.matmul(query, ops.transpose(keys, (0, 1, 3, 2))) / self.head_units**0.5)
        found = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))  # (B, N, heads, U / heads)
        words = words + self.dropout(self.context(ops.reshape(found, ops.shape(words))), training=training)
        hidden = self.project(self.hidden(self.hidden_norm(words)))
        return [words + self.dropout(hidden, training=training), weights]

    def _split_heads(self, x: Tensor) -> Tensor:
        batch, length = ops.shape(x)[:2]
        return ops.transpose(ops.reshape(x, (batch, length, self.heads, self.head_units)), (0, 2, 1, 3))


class PooledBlock(layers.Layer):
    """The classic merge: the photo, pooled over its grid, is added; a dense layer follows."""

    def __init__(self, units: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = layers.Dense(units, activation="relu", name="hidden")
        self.dropout = layers.Dropout(dropout, name="dropout")

    def build(self, shape: Shape) -> None:
        """Make the variables, for words of `shape` (B, N, U)."""
        self.hidden.build(shape)

    def build_memory(self, shape: Shape) -> None:
        """A pooled photo needs none."""

    def remember(self, grid: Tensor) -> Tensors:
        """(B, G, U) -> (B, 1, U)."""
        return [ops.mean(grid, axis=1, keepdims=True)]

    def call(self, words: Tensor, pooled: Tensor, training: bool = False) -> Tensors:
        """(B, N, U) words -> [the same shape]; there is no attention to show."""
        return [self.dropout(self.hidden(words + pooled), training=training)]


class Decoder(keras.Model):
    """`call` scores every step of whole captions at once; `step` scores one word with the LSTMs' states carried."""

    def __init__(self, config: DecoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config, units, dropout = config, config.units, config.dropout
        spread = keras.initializers.RandomNormal(stddev=units**-0.5)
        self.embedding = layers.ReversibleEmbedding(
            config.vocabulary, units, embeddings_initializer=spread, name="embedding"
        )
        cell = {"lstm": layers.LSTM, "gru": layers.GRU}[config.cell]
        self.recurrent = [
            cell(units, return_sequences=True, name=f"{config.cell}_{i}") for i in range(config.lstm_layers)
        ]
        self.photo = layers.Dense(units, name="photo")
        self.photo_norm = layers.LayerNormalization(name="photo_norm")
        self.blocks: list[Any] = (
            [PooledBlock(units, dropout, name="pooled")]
            if config.kind == "merge"
            else [AttentionBlock(units, config.heads, dropout, name=f"block_{i}") for i in range(config.merge_blocks)]
        )
        self.logits_norm = layers.LayerNormalization(name="logits_norm")
        self.logits_bias = self.add_weight(shape=(config.vocabulary,), initializer="zeros", name="logits_bias")
        # Half as much on the photo: its 2,048 channels are already sparse after the encoder's last ReLU.
        self.photo_dropout = layers.Dropout(dropout / 2, name="photo_dropout")
        self.dropout = layers.Dropout(dropout, name="dropout")

    def build(self, _: Any = None) -> None:
        """Make every variable without computing anything: loading weights into them is all that serving wants."""
        words: Shape = (None, None, self.config.units)
        self.embedding.build((None, None))
        for layer in self.recurrent:
            layer.build(words)
        self.photo.build((None, None, self.config.channels))
        for layer in (self.photo_norm, self.logits_norm):
            layer.build(words)
        for block in self.blocks:
            block.build_memory(words)
            block.build(words)

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Teacher forcing: {"features": (B, h, w, C), "ids": (B, K, T)} -> logits (B, K, T, V), float32.

        The LSTM is causal, so one pass gives the logits after every prefix.
        """
        ids = inputs["ids"]
        batch, captions, length = ops.shape(ids)
        words = self._embed(ids, training)  # (B, K, T, U)
        words = ops.reshape(words, (batch * captions, length, self.config.units))
        for layer in self.recurrent:
            words = self.dropout(layer(words, training=training), training=training)
        words = ops.reshape(words, (batch, captions * length, self.config.units))
        logits, _ = self._merge(words, self.remember(inputs["features"], training), training)
        return ops.reshape(logits, (batch, captions, length, self.config.vocabulary))

    def remember(self, features: Tensor, training: bool = False) -> Tensors:
        """(B, h, w, C) -> what every step needs of the photo: two tensors a block, one for `merge`."""
        batch, height, width, channels = ops.shape(features)
        grid = self.photo_dropout(ops.reshape(features, (batch, height * width, channels)), training=training)
        grid = self.photo_norm(self.photo(grid))
        return [tensor for block in self.blocks for tensor in block.remember(grid)]

    def step(self, ids: Tensor, states: Tensors, memory: Tensors) -> tuple[Tensor, Tensors, Tensor | None]:
        """One word of every beam: ids (B, K), states (B, K, U), hidden and cell of each LSTM or hidden of each GRU.

        Returns logits (B, K, V), the new states, and the attention weights (B, K, G), the mean over the heads of
        every block (on dev photos hiding the cells that it names harms a word more than those of any one block), or
        None for `merge`.
        """
        batch, beams = ops.shape(ids)
        rows = (batch * beams, self.config.units)
        words, new_states = ops.reshape(self._embed(ids), rows), []
        each = self.config.states // len(self.recurrent)
        for index, layer in enumerate(self.recurrent):
            own = [ops.reshape(state, rows) for state in states[index * each : (index + 1) * each]]
            words, own = layer.cell(words, own)
            new_states += [ops.reshape(state, (batch, beams, self.config.units)) for state in own]
        words = ops.reshape(words, (batch, beams, self.config.units))
        logits, weights = self._merge(words, memory)
        return logits, new_states, weights

    def _embed(self, ids: Tensor, training: bool = False) -> Tensor:
        # Embeddings are small because the logits share them; the LSTM wants unit variance.
        return self.dropout(self.embedding(ids) * self.config.units**0.5, training=training)

    def _merge(self, words: Tensor, memory: Tensors, training: bool = False) -> tuple[Tensor, Tensor | None]:
        """(B, N, U) -> logits (B, N, V) and attention weights (B, N, G) or None."""
        per_block, looks = len(memory) // len(self.blocks), []
        for index, block in enumerate(self.blocks):
            words, *weights = block(words, *memory[index * per_block : (index + 1) * per_block], training=training)
            looks += [ops.mean(found, axis=1) for found in weights]
        words = self.dropout(self.logits_norm(words), training=training)
        logits = self.embedding(words, reverse=True)
        attention = sum(looks[1:], looks[0]) / len(looks) if looks else None
        return ops.cast(logits, "float32") + ops.cast(self.logits_bias, "float32"), attention
