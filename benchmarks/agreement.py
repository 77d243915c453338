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

Captions = dict[str, tuple[str, float]]  # photo -> caption and its log-probability
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
    apart: float  # the largest difference in log-probability where the captions differ
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
    outcomes = caption_photos(captioner, names, 1, captioner.beam_width)
    for path, outcome in tqdm(outcomes, total=len(names), desc=precision, unit="photo"):
        if isinstance(outcome, ImageError):
            raise outcome
        captions[names[path]] = (outcome[0].text, outcome[0].log_probability)
    Path(file).write_text(json.dumps(captions))


def compare(references: Mapping[str, Sequence[str]], found: Mapping[str, Captions]) -> dict[str, Agreement]:
    """Each runtime against the first."""
    from training.metrics import photo_ciders

    expected, agreements = found[REFERENCE], {}
    ciders = {
        title: fmean(photo_ciders(references, {name: text for name, (text, _) in captions.items()}).values())
        for title, captions in found.items()
    }
    for title, captions in found.items():
        different = [name for name in expected if captions[name][0] != expected[name][0]]
        agreements[title] = Agreement(
            ciders[title],
            1 - len(different) / len(expected),
            max((abs(captions[name][1] - expected[name][1]) for name in different), default=0.0),
            ciders[title] - ciders[REFERENCE],
        )
    return agreements


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

{table(("", "CIDEr", "difference", "identical captions", "largest difference in log-probability of the others"), rows)}

Wanted in float32: 99 % identical and the rest within 0.001 in log-probability (ties); as shipped: CIDEr within 0.50.
"""


def _in_process(options: argparse.Namespace, precision: str, backend: str, file: Path) -> Captions:
    arguments = ["--artifacts", options.artifacts, "--dataset", options.dataset, "--split", options.split]
    command = [sys.executable, __file__, *map(str, arguments), "--child", precision, str(file)]
    subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}, check=True)
    captions: dict[str, list[str | float]] = json.loads(file.read_text())
    return {name: (str(text), float(total)) for name, (text, total) in captions.items()}


def _photos(options: argparse.Namespace) -> Sequence["Photo"]:
    from training.evaluate import load_as_trained

    return load_as_trained(options.artifacts, options.dataset).splits[options.split]


def _references(options: argparse.Namespace) -> dict[str, Sequence[str]]:
    return {photo.name: photo.captions for photo in _photos(options)}


if __name__ == "__main__":
    sys.exit(main())
