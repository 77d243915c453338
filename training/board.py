"""TensorBoard's logs by its own writer, on every backend: the curves, and captions of dev photos beside them."""

import importlib.util
import io
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from model.image import open_image
from training.datasets import Photo

_SIDE = 320  # pixels


def board(folder: Path, photos: Sequence[Photo], captions: Callable[[], Mapping[str, str]]) -> list["Board"]:
    """The callback; none, and a line about it, where TensorBoard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        print("no TensorBoard logs: pip install tensorboard, or leave out --tensorboard", flush=True)
        return []
    return [Board(folder, photos, captions)]


class Board(keras.callbacks.Callback):
    """Every figure that an epoch logs, and what `captions` then says of the photos, which are shown once."""

    def __init__(self, folder: Path, photos: Sequence[Photo], captions: Callable[[], Mapping[str, str]]) -> None:
        super().__init__()
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._photos, self._captions = photos, captions
        self._writer = EventFileWriter(str(folder))
        self._shown = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Stands behind whatever makes the captions."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.text.summary_v2 import text_pb

        said = self._captions()
        values = [Summary.Value(tag=name, simple_value=float(value)) for name, value in (logs or {}).items()]
        if not self._shown:
            values += [Summary.Value(tag=f"photos/{photo.name}", image=_picture(photo.path)) for photo in self._photos]
            self._shown = True
        for photo in self._photos:
            values += text_pb(f"captions/{photo.name}", said[photo.name]).value
        self._write(epoch, Summary(value=values))

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Nothing is left in a buffer."""
        self._writer.close()

    def _write(self, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step + 1, summary=summary))
        self._writer.flush()


def _picture(path: Path) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    picture = open_image(path).convert("RGB")
    picture.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return Summary.Image(height=picture.height, width=picture.width, colorspace=3, encoded_image_string=file.getvalue())
