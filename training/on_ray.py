"""Features of photos on many machines, by Ray Data: `--engine ray`, after `pip install -r requirements/ray.in`.

Ray starts on this machine alone unless `RAY_ADDRESS` names a cluster, whose machines see the photos under the same
paths and have the packages of requirements.txt; our own code is sent to them, with the encoder and the names of photos.
Features come back in order, a bounded number at a time.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import ray

from training.extractor import Features, features_of

ROOT = Path(__file__).resolve().parent.parent


class Extractor:
    """What a worker keeps between batches: the encoder, from the JSON and the weights that Ray sent it."""

    def __init__(self, network: str, weights: list[np.ndarray]) -> None:
        self._encoder = keras.models.model_from_json(network)
        self._encoder.set_weights(weights)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """One batch of photos, as a row of the data set."""
        found = features_of(self._encoder, [Path(name) for name in row["photos"]])
        return {"grid": found.grid, "rows": [*found.failed], "reasons": [*found.failed.values()]}


def on_ray(encoder: keras.Model, batches: Sequence[Sequence[Path]]) -> Iterator[Features]:
    """An `Engine`."""
    code = [str(ROOT / package) for package in ("model", "training")]
    variables = {"KERAS_BACKEND": keras.backend.backend()}
    ray.init(
        ignore_reinit_error=True,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"py_modules": code, "env_vars": variables},
    )
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    rows = ray.data.from_items([{"photos": [str(path.resolve()) for path in photos]} for photos in batches])
    workers = max(1, int(ray.cluster_resources().get("CPU", 1)) // 2)
    found = rows.map(
        Extractor, fn_constructor_args=(encoder.to_json(), encoder.get_weights()), concurrency=(1, workers)
    )
    for row in found.iter_rows():
        yield Features(row["grid"], dict(zip(row["rows"], row["reasons"], strict=True)))
