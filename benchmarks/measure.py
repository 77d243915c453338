"""One process of a benchmark: `python -m benchmarks.measure WHAT …` prints its figures as JSON, a line each.

A process for each way of captioning, since its memory and its start are figures too.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.photos import PHONE, USUAL, read_all
from model.quiet import quiet_import

PARTS = ("decode", "encode", "search")
WORDS, MAX_LENGTH, VOCABULARY, UNITS = 11, 82, 8761, 256  # of the tutorials' network


def first(options: argparse.Namespace) -> None:
    """One caption in a fresh process; the caller has a clock running since before the process began."""
    captioner = _captioner(options)
    captioner.predict(_photos(options, USUAL)[0])
    _tell(first=True)
    _tell(megabytes=_megabytes("VmRSS"))


def captions(options: argparse.Namespace) -> None:
    """Every figure of the captioner on one backend, in one precision."""
    captioner, usual, phone = _captioner(options), _photos(options, USUAL), _photos(options, PHONE)
    for photo in (usual[0], usual[1], phone[0]):
        captioner.predict(photo)  # compiles what it takes
    totals, parts = [], []
    for photo in usual:
        started = time.perf_counter()
        parts.append(captioner.generate([photo])[0].seconds)
        totals.append(time.perf_counter() - started)
    big = [_timed(captioner.predict, photo) for photo in phone]
    megabytes = _megabytes("VmRSS")
    captioner.generate(usual)
    batches = {count: min(_batches(captioner, usual, count)) for count in (8, 32)}
    _tell(
        one=median(totals),
        parts={part: median(each[part] for each in parts) for part in PARTS},
        phone=median(big),
        batches=batches,
        bulk=_bulk(captioner, options.photos),
        beam_width=captioner.beam_width,
        megabytes=megabytes,
        megabytes_in_batches=_megabytes("VmRSS"),
    )


def batches(options: argparse.Namespace) -> None:
    """Photos a second of the batch pipeline, from the bytes of a file, a batch of 32 after the other."""
    captioner, usual = _captioner(options), _photos(options, USUAL)
    captioner.generate(usual[:32])
    _tell(per_second=1 / min(_batches(captioner, usual, 32)))


def tutorial(options: argparse.Namespace) -> None:
    """What the tutorials do for a photo, warmed up: both networks by `predict`, the decoder once for every word."""
    with quiet_import():
        import keras
    whole = keras.applications.ResNet50(weights=None)
    encoder = keras.Model(whole.input, whole.layers[-2].output)
    decoder, usual = tutorial_decoder(VOCABULARY, MAX_LENGTH), _photos(options, USUAL)

    def caption(data: bytes) -> list[int]:
        import io

        import numpy as np

        pixels = keras.utils.img_to_array(keras.utils.load_img(io.BytesIO(data), target_size=(224, 224)))
        photo = encoder.predict(keras.applications.resnet50.preprocess_input(pixels[None]), verbose=0)
        words = [1]
        for _ in range(WORDS):
            padded = keras.utils.pad_sequences([words], maxlen=MAX_LENGTH)
            words.append(int(np.argmax(decoder.predict([photo, padded], verbose=0))))
        return words

    for data in usual[:3]:
        caption(data)
    _tell(one=median(_timed(caption, data) for data in usual[:20]), megabytes=_megabytes("VmRSS"))


def forward(options: argparse.Namespace) -> None:
    """The encoder of the artifact alone, called as a compiled TensorFlow function: pixels to features."""
    with quiet_import():
        import tensorflow as tf

        from model.bundle import load_bundle
    encoder = load_bundle(options.artifacts).encoder
    run = tf.function(encoder, jit_compile=False)
    pixels = tf.random.uniform((1, *encoder.input_shape[1:]), maxval=255)
    for _ in range(5):
        run(pixels)
    _tell(one=median(_timed(run, pixels) for _ in range(30)))


def tutorial_decoder(vocabulary: int, length: int) -> Any:
    """The tutorials' network: a pooled photo (B, 2048), the words so far (B, length) -> the odds of the next."""
    import keras

    layers = keras.layers
    photo, words = keras.Input((2048,)), keras.Input((length,))
    left = layers.Dense(UNITS, activation="relu")(layers.Dropout(0.4)(photo))
    embedded = layers.Embedding(vocabulary, UNITS, mask_zero=True)(words)
    right = layers.LSTM(UNITS)(layers.Dropout(0.4)(embedded))
    merged = layers.Dense(UNITS, activation="relu")(layers.add([left, right]))
    return keras.Model([photo, words], layers.Dense(vocabulary, activation="softmax")(merged))


def _captioner(options: argparse.Namespace) -> Any:
    with quiet_import():
        from model.captioner import CaptionGenerator
    return CaptionGenerator.load(options.artifacts, options.precision)


def _photos(options: argparse.Namespace, size: tuple[int, int]) -> list[bytes]:
    return read_all(sorted(options.photos.glob(f"{size[0]}x{size[1]}-*.jpg")))


def _batches(captioner: Any, photos: list[bytes], count: int) -> Iterable[float]:
    """Seconds a photo, for each of some batches."""
    for _ in range(2):
        for start in range(0, len(photos) - count + 1, count):
            yield _timed(captioner.generate, photos[start : start + count]) / count


def _bulk(captioner: Any, folder: Path) -> float:
    """Seconds a photo of `python -m model FOLDER`, once it has started."""
    from model.bulk import caption_photos

    paths = sorted(folder.glob(f"{USUAL[0]}x{USUAL[1]}-*.jpg")) * 3
    return _timed(list, caption_photos(captioner, paths, 1, captioner.beam_width)) / len(paths)


def _timed(work: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def _megabytes(field: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) / 1024


def _tell(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


WAYS = {way.__name__: way for way in (first, captions, batches, tutorial, forward)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--precision", default="fastest")
    chosen = parser.parse_args()
    WAYS[chosen.way](chosen)
