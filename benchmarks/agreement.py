"""Do the runtimes agree? `python benchmarks/agreement.py --dataset DIR` writes its part of docs/performance.md.

Captions a split on TensorFlow, and on the runtime that serves in float32 and as shipped, each in a process of its own;
counts equal captions and scores all three. Takes about four minutes for the 1,000 photos of Flickr8k's test split.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import ROOT, conditions, table, write_section

if TYPE_CHECKING:
    from training.datasets import Photo

Captions = dict[str, dict[str, float]]  # photo -> its captions, best first, and the log-probability of each
REFERENCE = "TensorFlow, float32"
RUNS = {  # title -> precision and backend
    REFERENCE: ("float32", "tensorflow"),
    "OpenVINO, float32": ("float32", "openvino"),
    "**OpenVINO, as shipped**": ("fastest", "openvino"),
}


@dataclass(frozen=True)
class Agreement:
    """How near the captions of one runtime are to those of the reference."""

    cider: float
    identical: float  # share of photos
    apart: float  # the largest difference in log-probability of a caption that both found
    difference: float  # of CIDEr


def main(arguments: Sequence[str] | None = None) -> int:
    """Caption, compare, write; 0 if the runtimes agree as well as they should."""
    parser = argparse.ArgumentParser(description="Compare the runtimes on a split; writes docs/performance.md.")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--split", default="test", choices=("dev", "test"))
    parser.add_argument("--child", nargs=2, metavar=("PRECISION", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        caption_split(options)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = {title: _in_process(options, *run, Path(folder) / "captions.json") for title, run in RUNS.items()}
    agreements = compare(_references(options), found)
    text = page(agreements, options.split, len(found[REFERENCE]))
    write_section("agreement", text)
    print(text)
    _, float32, shipped = agreements.values()
    good = float32.identical >= 0.99 and float32.apart <= 1e-3 and abs(shipped.difference) <= 0.005
    return 0 if good else 1


def caption_split(options: argparse.Namespace) -> None:
    """In a process of its own: write the captions of every photo of the split."""
    from tqdm import tqdm

    from model.bulk import caption_photos
    from model.captioner import CaptionGenerator
    from model.errors import ImageError

    precision, file = options.child
    captioner = CaptionGenerator.load(options.artifacts, precision)
    names = {photo.path: photo.name for photo in _photos(options)}
    captions = {}
    outcomes = caption_photos(captioner, names, captioner.beam_width, captioner.beam_width)
    for path, outcome in tqdm(outcomes, total=len(names), desc=precision, unit="photo"):
        if isinstance(outcome, ImageError):
            raise outcome
        captions[names[path]] = {caption.text: caption.log_probability for caption in outcome}
    Path(file).write_text(json.dumps(captions))


def compare(references: Mapping[str, Sequence[str]], found: Mapping[str, Captions]) -> dict[str, Agreement]:
    """Each runtime against the first."""
    from training.metrics import photo_ciders

    expected, agreements = found[REFERENCE], {}
    ciders = {
        title: fmean(photo_ciders(references, {name: _best(one) for name, one in captions.items()}).values())
        for title, captions in found.items()
    }
    for title, captions in found.items():
        pairs = [(captions[name], expected[name]) for name in expected]
        agreements[title] = Agreement(
            ciders[title],
            fmean(_best(one) == _best(other) for one, other in pairs),
            max(abs(one[text] - other[text]) for one, other in pairs for text in one.keys() & other.keys()),
            ciders[title] - ciders[REFERENCE],
        )
    return agreements


def _best(captions: Mapping[str, float]) -> str:
    return next(iter(captions))


def page(agreements: Mapping[str, Agreement], split: str, photos: int) -> str:
    """The section of docs/performance.md."""
    rows = [
        (
            title,
            f"{100 * one.cider:.2f}",
            f"{100 * one.difference:+.2f}",
            f"{100 * one.identical:.1f} %",
            f"{one.apart:.4f}",
        )
        for title, one in agreements.items()
    ]
    return f"""
## The same captions

Written by `python benchmarks/agreement.py`: {conditions()} The {photos:,} photos of the {split} split; CIDEr ×100.

{table(("", "CIDEr", "difference", "identical captions", "largest difference in a caption's log-probability"), rows)}

The last column compares all captions that both searches end with. Wanted in float32: 99 % of the best ones identical,
and log-probabilities within 0.001, so that only ties fall the other way; as shipped: CIDEr within 0.50.
"""


def _in_process(options: argparse.Namespace, precision: str, backend: str, file: Path) -> Captions:
    arguments = ["--artifacts", options.artifacts, "--dataset", options.dataset, "--split", options.split]
    command = [sys.executable, __file__, *map(str, arguments), "--child", precision, str(file)]
    subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}, check=True)
    captions: Captions = json.loads(file.read_text())
    return captions


def _photos(options: argparse.Namespace) -> Sequence["Photo"]:
    from training.evaluate import load_as_trained

    return load_as_trained(options.artifacts, options.dataset).splits[options.split]


def _references(options: argparse.Namespace) -> dict[str, Sequence[str]]:
    return {photo.name: photo.captions for photo in _photos(options)}


if __name__ == "__main__":
    sys.exit(main())
