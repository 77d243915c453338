"""Made-up pictures, a tiny encoder, and a tiny artifact trained on four colours."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import keras  # first, so that the tests train, and caption, on TensorFlow; processes they start choose for themselves
import numpy as np
import pytest
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "white": (250, 250, 250)}


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (48, 40), seed: int = 0) -> Image.Image:
    """A plain picture of one colour with a little noise, `size` is (width, height)."""
    noise = np.random.default_rng(seed).integers(-5, 6, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def tiny_encoder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that keeps the encoder's contract, 32 x 32 pixels to a 4 x 4 x 8 grid."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((32, 32, 3), name="rgb")
    x = keras.layers.Rescaling(1 / 127.5, -1)(pixels)
    x = keras.layers.Conv2D(8, 4, 4, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(keras.layers.Conv2D(8, 2, 2)(x))
    path = tmp_path_factory.mktemp("encoder") / "tiny.keras"
    keras.Model(pixels, x, name="tiny").save(path)
    return path


@pytest.fixture(scope="session")
def colour_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Kaggle form: forty pictures of four colours, each captioned by its colour."""
    root = tmp_path_factory.mktemp("colours")
    (root / "Images").mkdir()
    lines = ["image,caption"]
    for number in range(40):
        colour = list(COLOURS)[number % 4]
        name = f"{colour}{number:02}.png"
        picture(COLOURS[colour], seed=number).save(root / "Images" / name)
        lines += [f"{name},A plain {colour} wall .", f'{name},"The wall, it is {colour} ."']
    (root / "captions.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def tiny_artifact(colour_dataset: Path, tiny_encoder_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `training/train.py --fine-tune` writes for the colours; it knows them by heart."""
    from training.train import main

    folder = tmp_path_factory.mktemp("run")
    status = main(
        f"--dataset {colour_dataset} --encoder {tiny_encoder_file} --output {folder / 'artifacts'} "
        f"--work {folder / 'work'} --units 32 --heads 2 --merge-blocks 2 --dropout 0.1 --min-count 1 --max-words 8 "
        "--epochs 20 --batch-size 4 --learning-rate 0.01 --fine-tune --fine-tune-epochs 2 --encoder-rate 0.01".split()
    )
    assert status == 0
    return folder / "artifacts"
