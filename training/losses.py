"""Cross-entropy over words, smoothed. What each word counts comes as `sample_weight` with the batch."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("captioner")
class CaptionLoss(keras.losses.Loss):
    """Weighted sum over the words of a batch; label smoothing as in Szegedy et al. 2016."""

    def __init__(self, label_smoothing: float = 0.1, name: str = "caption_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **{"reduction": "sum"} | kwargs)
        self.label_smoothing = label_smoothing

    def call(self, targets: Any, logits: Any) -> Any:
        """Targets (B, K, T) ids, logits (B, K, T, V) -> (B, K, T)."""
        targets = ops.cast(targets, "int32")
        loss = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        if self.label_smoothing:
            # Cross-entropy against a uniform target differs from the plain one by (target's logit - mean logit).
            of_target = ops.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
            loss = loss + self.label_smoothing * (of_target - ops.mean(logits, axis=-1))
        return loss
