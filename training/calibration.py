"""What the convolutions of an encoder are given, so that serving may compute them in eight bits.

    python training/calibration.py --artifacts artifacts --dataset DIR

calibrates the encoder of an artifact on photos of the dataset's training split; a training does so by itself.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.checksums import CONFIG, write_checksums
from model.quiet import quiet_import
from training.again import learn_again
from training.results import replace_file, to_json

if TYPE_CHECKING:
    import keras

PHOTOS = 256
_BATCH = 16


def input_ranges(encoder: "keras.Model", photos: Sequence[Path]) -> dict[str, list[float]]:
    """Name of each Conv2D -> the least and the greatest number of its input, over at most `PHOTOS` of the photos.

    They are taken evenly from the whole list, and must be readable.
    """
    import keras
    import numpy as np

    from model.encoder import input_size
    from training.features import read_pixels

    layers = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    if not layers:
        return {}
    ends = [end(layer.input) for layer in layers for end in (keras.ops.min, keras.ops.max)]
    probe = keras.Model(encoder.input, ends)
    chosen, lows, highs = photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS], [], []
    for first in range(0, len(chosen), _BATCH):
        found = [*map(float, probe.predict_on_batch(read_pixels(chosen[first : first + _BATCH], input_size(encoder))))]
        lows.append(found[::2])
        highs.append(found[1::2])
    least, greatest = np.min(lows, axis=0).tolist(), np.max(highs, axis=0).tolist()
    spans = zip(layers, least, greatest, strict=True)
    return {layer.name: [low, high] for layer, low, high in spans if low < high}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return learn_again(__doc__, recalibrate, arguments)


def recalibrate(artifacts: Path, dataset: Path) -> None:
    """Write the ranges into the artifact's config.json. Raises CaptionerError."""
    from training.evaluate import load_as_trained

    photos = [photo.path for photo in load_as_trained(artifacts, dataset).splits["train"]]
    with quiet_import():
        from model.bundle import load_bundle

    bundle = load_bundle(artifacts)
    ranges = input_ranges(bundle.encoder, photos)
    config = replace(bundle.config, encoder={**bundle.config.encoder, "ranges": ranges})
    replace_file(artifacts / CONFIG, to_json(config.to_dict()))
    write_checksums(artifacts)
    print(f"calibrated {len(ranges)} convolutions on {min(len(photos), PHOTOS)} photos")


if __name__ == "__main__":
    sys.exit(main())
