"""Training on several devices of one machine at once: each takes its share of every batch.

On JAX by `keras.distribution`, on TensorFlow by `tf.distribute`; nobody else knows which.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

from model.errors import SettingsError

_scope = ExitStack()  # of the `tf.distribute` strategy, while there is one


class AdamW(keras.optimizers.AdamW):
    """Clips what all devices have learnt together.

    On TensorFlow, Keras clips the gradient of each device and adds them up then: a sum longer than `global_clipnorm`
    allows, and another than one device would have.
    """

    def _clip_gradients(self, gradients: Sequence[Any]) -> Any:
        return super()._clip_gradients(_added_up(gradients))

    def _all_reduce_sum_gradients(self, pairs: Any) -> Any:
        """What Keras does after clipping, on TensorFlow alone."""
        return pairs


def devices(wanted: bool) -> int:
    """Among how many devices the batches of a training are split. Raises SettingsError on PyTorch."""
    if not wanted:
        return 1
    if keras.backend.backend() == "jax":
        return len(keras.distribution.list_devices())
    if keras.backend.backend() == "tensorflow":
        return len(_on_tensorflow())
    raise SettingsError(
        f"--data-parallel runs on TensorFlow and JAX, not on {keras.backend.backend()}: set KERAS_BACKEND to either"
    )


@contextmanager
def split_among(count: int) -> Iterator[None]:
    """Networks made within, and there alone, are trained on `count` devices; with one, nothing is done."""
    if count == 1:
        yield
    elif keras.backend.backend() == "jax":
        with _distribution(keras.distribution.DataParallel(auto_shard_dataset=False)):
            yield
    else:
        import tensorflow as tf

        with _scope:
            _scope.enter_context(tf.distribute.MirroredStrategy(_on_tensorflow()).scope())
            yield


@contextmanager
def on_one() -> Iterator[None]:
    """What is computed within is not split: a batch may have any length. Nor are networks that are made within."""
    if keras.backend.backend() == "jax":
        with _distribution(None):
            yield
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        strategy = tf.distribute.get_strategy()
        _scope.close()
        try:
            yield
        finally:
            if strategy.num_replicas_in_sync > 1:
                _scope.enter_context(strategy.scope())
    else:
        yield


def _on_tensorflow() -> list[str]:
    import tensorflow as tf

    return [device.name for device in tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")]


def _added_up(gradients: Sequence[Any]) -> Sequence[Any]:
    if keras.backend.backend() != "tensorflow":
        return gradients
    import tensorflow as tf

    here = tf.distribute.get_replica_context()
    return here.all_reduce(tf.distribute.ReduceOp.SUM, gradients) if here.num_replicas_in_sync > 1 else gradients


@contextmanager
def _distribution(wanted: object) -> Iterator[None]:
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(wanted)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
