"""The options of `training/train.py`: one dataclass, one parser, no Keras."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

from model.errors import SettingsError

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

    def __post_init__(self) -> None:
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


_HELP = {
    "dataset": "folder of photos and captions, in any layout that training/datasets.py knows (required)",
    "output": "where the artifact is written",
    "work": "where features, checkpoints, logs and plots of the run are kept",
    "name": "name of the artifact",
    "encoder": "resnet50 (ImageNet weights, downloaded by Keras), or a FILE.keras from RGB pixels 0-255 to a grid",
    "encoder_weights": "weights of the named encoder in keras.applications' layout, where there is no network",
    "init": "an artifact to start from: its encoder, decoder and vocabulary are trained on",
    "decoder": "merge (pooled photo) or attention (over the grid)",
    "units": "width of embedding, LSTM and attention",
    "lstm_layers": "1 or 2",
    "heads": "attention heads; units must be a multiple",
    "merge_blocks": "attention blocks on top of the LSTM",
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
}
_CHOICES = {
    "decoder": ("merge", "attention"),
    "lstm_layers": (1, 2),
    "precision": ("float32", "mixed_bfloat16"),
}


def parse(arguments: list[str] | None = None) -> TrainingOptions:
    """Options from the command line; argparse ends the process with a message where they are impossible."""
    parser = argparse.ArgumentParser(
        description="Train a captioner and write it to artifacts/.",
        epilog=DATASETS,
        formatter_class=_Formatter,
    )
    for field in fields(TrainingOptions):
        settings: dict[str, object] = {"help": _HELP[field.name]}
        if field.type is bool:
            settings["action"] = "store_true"
        else:
            kind = {"int": int, "float": float, "str": str}.get(getattr(field.type, "__name__", ""), Path)
            settings.update(type=kind, default=field.default, choices=_CHOICES.get(field.name))
        if field.name == "dataset":
            settings["default"] = None
        parser.add_argument(_flag(field.name), **settings)  # type: ignore[arg-type]
    values = vars(parser.parse_args(arguments))
    if values["dataset"] is None:
        parser.error(f"--dataset DIR is missing: the folder with photos and captions\n\n{DATASETS}")
    try:
        return TrainingOptions(**values)
    except SettingsError as exc:
        parser.error(str(exc))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class _Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Defaults beside each option, the epilog as it stands."""
