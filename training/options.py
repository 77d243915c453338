"""The options of `training/train.py`: one dataclass, one parser, no Keras."""

import argparse
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from types import NoneType
from typing import Any, Self, get_args

from model.errors import SettingsError
from training.config_file import read_options

DATASETS = """\
Where to get photos with captions:
  Flickr8k    8,000 photos, the place to start. On Kaggle as adityajn105/flickr8k, or as its authors publish it
              (Flicker8k_Dataset/ and Flickr8k_text/), with the official split.
  Flickr30k   31,783 photos, from its authors at the University of Illinois, or on Kaggle as
              hsankesara/flickr-image-dataset; unpack it, that is all.
  COCO        train2017/, val2017/ and annotations/captions_*.json, from cocodataset.org. Karpathy's dataset_*.json
              beside the photos of any of the three gives the split that papers use.
Your own photos: Images/ beside captions.txt, a CSV with the header image,caption; or any one .csv like it; or one
.jsonl of {"image": ..., "caption": ...}. python training/datasets.py DIR says what it finds and what is wrong."""


@dataclass(frozen=True)
class TrainingOptions:
    """One run. Rates are peaks of a schedule that warms up, then decays along a cosine."""

    dataset: Path
    output: Path = Path("artifacts")
    work: Path = Path("runs")
    name: str = "captioner"
    encoder: str = "resnet50"
    encoder_weights: Path | None = None
    init: Path | None = None
    decoder: str = "attention"
    cell: str = "lstm"
    units: int = 512
    lstm_layers: int = 1
    heads: int = 8
    merge_blocks: int = 2
    dropout: float = 0.4
    min_count: int = 5
    max_words: int = 18
    epochs: int = 12
    batch_size: int = 16
    learning_rate: float = 6e-4
    label_smoothing: float = 0.1
    weight_decay: float = 0.01
    average: float = 0.998
    patience: int = 6
    precision: str = "float32"
    fine_tune: bool = False
    fine_tune_epochs: int = 8
    encoder_rate: float = 3e-5
    decoder_rate: float = 2e-4
    reinforce: bool = False
    reinforce_epochs: int = 4
    reinforce_encoder_rate: float = 1e-5
    reinforce_decoder_rate: float = 5e-5
    samples: int = 5
    human_share: float = 0.1
    crop: float = 0.857
    zoom: float = 0.7
    consensus: float = 0.5
    seed: int = 1
    tensorboard: bool = False
    engine: str = "here"
    data_parallel: bool = False
    resume: bool = False
    given: frozenset[str] = field(default=frozenset(), compare=False)  # what was chosen, not left at its default

    def __post_init__(self) -> None:
        self._refuse_choices()
        if self.epochs < 0 or (self.epochs == 0 and self.init is None):
            raise SettingsError(
                f"--epochs must be at least 1, or 0 where --init brings a trained decoder, not {self.epochs}"
            )
        for name in ("batch_size", "min_count", "max_words", "patience", "fine_tune_epochs", "reinforce_epochs"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{_flag(name)} must be at least 1, not {getattr(self, name)}")
        for name in (name for name in _HELP if name.endswith("_rate")):
            if not 0 < getattr(self, name) < 1:
                raise SettingsError(f"{_flag(name)} must lie between 0 and 1, not {getattr(self, name)}")
        if self.samples < 2:
            raise SettingsError(f"--samples must be at least 2, to compare one with another, not {self.samples}")
        for name in ("dropout", "label_smoothing", "average", "consensus", "human_share"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{_flag(name)} must be at least 0 and less than 1, not {getattr(self, name)}")
        if not 0.5 <= self.crop <= 1:
            raise SettingsError(f"--crop is a share of the photo's side, 0.5 to 1, not {self.crop}")
        if not 0.3 <= self.zoom <= 1:
            raise SettingsError(f"--zoom is a share of the photo's side, 0.3 to 1, not {self.zoom}")

    def _refuse_choices(self) -> None:
        for name, allowed in _CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise SettingsError(f"{_flag(name)} must be {' or '.join(map(str, allowed))}, not {value}")
        if self.engine == "ray" and find_spec("ray") is None:
            raise SettingsError("--engine ray needs Ray, which is not installed: pip install -r requirements/ray.in")
        if self.data_parallel and self.reinforce:
            raise SettingsError("--data-parallel splits the batches of the other stages: leave out --reinforce")
        if self.init is not None and (given := [_flag(name) for name in NETWORK if name in self.given]):
            raise SettingsError(f"--init brings the encoder and decoder of {self.init}: leave out {', '.join(given)}")

    def for_photos(self, count: int) -> Self:
        """The options for a training on `count` photos: where `--init` meets few, what was not chosen is `FEW`'s."""
        if self.init is None or count > FEW_PHOTOS:
            return self
        return replace(self, **{name: value for name, value in FEW.items() if name not in self.given})

    def to_dict(self) -> dict[str, Any]:
        """Every option that has a say, as `--config` reads it: plain JSON values."""
        silent = {"given", "resume", *(NETWORK if self.init is not None else ())}
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in silent}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


NETWORK = ("encoder", "encoder_weights", "decoder", "cell", "units", "lstm_layers", "heads", "merge_blocks")
FEW_PHOTOS = 500
FEW: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 4,
    "learning_rate": 3e-4,
    "min_count": 2,
    "patience": 10,
}

_HELP = {
    "dataset": "folder of photos and captions, in any layout that training/datasets.py knows (required)",
    "output": "where the artifact is written",
    "work": "where features, checkpoints, logs and plots of the run are kept",
    "name": "name of the artifact",
    "encoder": "resnet50, vgg16 or inceptionv3 (ImageNet weights, downloaded by Keras), or a FILE.keras from RGB "
    "pixels 0-255 to a grid",
    "encoder_weights": "weights of the named encoder in keras.applications' layout, where there is no network",
    "init": "an artifact to start from: its encoder, decoder and vocabulary are trained on",
    "decoder": "merge (pooled photo) or attention (over the grid)",
    "cell": "what reads the words: lstm or gru",
    "units": "width of embedding, LSTM or GRU, and attention",
    "lstm_layers": "1 or 2 of them, or of the GRU, on top of each other",
    "heads": "attention heads; units must be a multiple",
    "merge_blocks": "attention blocks on top of them",
    "dropout": "share of activations dropped while training",
    "min_count": "a word enters the vocabulary if the training captions hold it this often",
    "max_words": "longer captions are cut, in training and in captioning",
    "epochs": "passes with the encoder frozen",
    "batch_size": "photos a step; up to five captions of each",
    "learning_rate": "peak rate while the encoder is frozen",
    "label_smoothing": "probability spread over the vocabulary",
    "weight_decay": "of AdamW",
    "average": "momentum of the moving average of the weights, which is what is evaluated and kept",
    "patience": "epochs without a better dev CIDEr before a stage stops",
    "precision": "float32, or mixed_bfloat16 where the processor has bfloat16 units",
    "fine_tune": "then train encoder and decoder end to end, with flips and crops",
    "fine_tune_epochs": "passes end to end",
    "encoder_rate": "peak rate of the encoder end to end",
    "decoder_rate": "peak rate of the decoder end to end",
    "reinforce": "then train both on sampled captions, rewarded with CIDEr-D",
    "reinforce_epochs": "passes of self-critical training",
    "reinforce_encoder_rate": "peak rate of the encoder in self-critical training",
    "reinforce_decoder_rate": "peak rate of the decoder in self-critical training",
    "samples": "captions sampled of each photo in self-critical training",
    "human_share": "what a person's caption counts beside a sample whose reward is 1 above its fellows'",
    "crop": "side of the pictures that the encoder sees end to end, as a share of its input's: less is faster",
    "zoom": "smallest side of the window that is cut from each photo end to end, as a share",
    "consensus": "weigh captions by their CIDEr against the photo's others: 0 not at all, towards 1 entirely",
    "seed": "of every random choice",
    "tensorboard": "also write TensorBoard logs",
    "engine": "where features are computed: here, or by ray on all machines of a cluster (docs/scale.md)",
    "data_parallel": "split every batch among all devices, on TensorFlow or JAX (docs/scale.md); not with --reinforce",
    "resume": "go on with the interrupted run in --work; its options have to be given again (not --output and --name)",
}
_CHOICES = {
    "decoder": ("merge", "attention"),
    "cell": ("lstm", "gru"),
    "lstm_layers": (1, 2),
    "precision": ("float32", "mixed_bfloat16"),
    "engine": ("here", "ray"),
}


def parse(arguments: list[str] | None = None) -> TrainingOptions:
    """Options from the command line, then from the file it names; the process ends with a line where they cannot be."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    file = values.pop("config", None)
    try:
        values = {**(read_options(file, KINDS) if file else {}), **values}
        if "dataset" not in values:
            parser.error(f"--dataset DIR is missing: the folder with photos and captions\n\n{DATASETS}")
        return TrainingOptions(**values, given=frozenset(values))
    except SettingsError as exc:
        beside = f" (with what {file} says)" if file and str(file) not in str(exc) else ""
        parser.exit(2, f"{parser.prog}: {exc}{beside}\n")


def _parser() -> argparse.ArgumentParser:
    """Knows no defaults, so that what it returns is what was given."""
    parser = argparse.ArgumentParser(
        description="Train a captioner and write it to artifacts/.",
        epilog=DATASETS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--config", type=Path, help="options in a file, TOML or JSON (WORK/config.json of a run); flags win over it"
    )
    for name, kind in KINDS.items():
        text, default = _HELP[name], getattr(TrainingOptions, name, None)
        if name in FEW:
            text += f" (default: {default}; {FEW[name]} where --init meets at most {FEW_PHOTOS} photos)"
        elif default not in (None, False):
            text += f" (default: {default})"
        if kind is bool:
            parser.add_argument(_flag(name), action=argparse.BooleanOptionalAction, help=text)
        else:
            parser.add_argument(_flag(name), type=kind, choices=_CHOICES.get(name), help=text)
    return parser


def _kind(annotation: Any) -> type:
    """`Path` of `Path | None`."""
    return next((part for part in get_args(annotation) if part is not NoneType), annotation)


KINDS = {each.name: _kind(each.type) for each in fields(TrainingOptions) if each.name != "given"}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
