"""What a training holds in memory: `python benchmarks/scale.py` writes docs/scale.md, in about ten minutes.

It runs `training/train.py` on as many photos and captions as Flickr30k has, both made up by code, and reads the
process's memory from Linux meanwhile. The encoder is a cheap one with ResNet-50's grid, so that features are as large
as the real ones (6.4 GB on disk) and quick to make; another run has ResNet-50 and the network that ships, on few.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.photos import write_photos
from benchmarks.report import ROOT, conditions, table, write_section

PAGE = ROOT / "docs" / "scale.md"
FLICKR30K, FEW, WORDS = 31_783, 640, 18_000
LIMIT = 4096  # megabytes
PHASES = {  # what the training prints -> what it does from then on
    "computing on": "features",
    "vocabulary": "an epoch",
    "epoch 1: dev": "choosing the search",
}
SMALL = "--units 64 --heads 2 --merge-blocks 1 --batch-size 64 --min-count 500"


@dataclass
class Memory:
    """The most that each phase held, in megabytes: all that was resident, and what the kernel cannot drop."""

    resident: dict[str, float] = field(default_factory=dict)
    anonymous: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def note(self, phase: str, status: str) -> None:
        """Take in what /proc/PID/status says."""
        for peaks, name in ((self.resident, "VmRSS:"), (self.anonymous, "RssAnon:")):
            kilobytes = next((int(line.split()[1]) for line in status.splitlines() if line.startswith(name)), 0)
            peaks[phase] = max(peaks.get(phase, 0.0), kilobytes / 1024)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; 0 if the memory stayed under the limit."""
    parser = argparse.ArgumentParser(description="Measure what a training holds in memory; writes docs/scale.md.")
    parser.add_argument("--photos", type=int, default=FLICKR30K)
    parser.add_argument(
        "--work", type=Path, help="where 7 GB can lie meanwhile; the system's folder for such unless given"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        folder = Path(name)
        cheap, real = (save_encoder(folder / f"{kind}.keras", kind) for kind in ("cheap", "resnet50"))
        runs = {
            f"{options.photos:,} photos, cheap encoder": run(folder / "many", options.photos, cheap, SMALL),
            f"{FEW:,} photos, cheap encoder": run(folder / "few", FEW, cheap, SMALL),
            f"{FEW:,} photos, ResNet-50 and the network that ships": run(folder / "real", FEW, real, "--min-count 1"),
        }
    write_section("memory", page(runs), PAGE)
    return int(max(max(memory.resident.values()) for memory in runs.values()) > LIMIT)


def save_encoder(path: Path, kind: str) -> Path:
    """ResNet-50 with random weights, or a network that only averages, of the same input and grid."""
    code = {
        "cheap": "x = layers.Conv2D(2048, 1, activation='relu')(layers.AveragePooling2D(32)(pixels))",
        "resnet50": "x = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=pixels).output",
    }[kind]
    script = (
        "import keras; from keras import layers; pixels = keras.Input((224, 224, 3)); "
        f"{code}; keras.Model(pixels, x, name='{kind}').save({str(path)!r})"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stderr=subprocess.DEVNULL)
    return path


def write_dataset(root: Path, photos: int, words: int = WORDS) -> Path:
    """Small JPEGs, no two files alike, with five captions each: Flickr8k as Kaggle has it."""
    (root / "Images").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        pictures = [path.read_bytes() for path in write_photos(Path(folder), 32, (120, 90))]
    random, odds = np.random.default_rng(0), 1 / np.arange(1, words + 1)
    spelled = np.array(["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(words)])
    lines = ["image,caption"]
    for number in range(photos):
        picture, name = pictures[number % len(pictures)], f"{number:06}.jpg"
        comment = b"\xff\xfe" + (2 + len(name)).to_bytes(2, "big") + name.encode()
        (root / "Images" / name).write_bytes(picture[:2] + comment + picture[2:])
        lengths = np.clip(random.normal(12.3, 5, 5).astype(int), 3, 30)
        said = np.split(random.choice(spelled, lengths.sum(), p=odds / odds.sum()), lengths.cumsum()[:-1])
        lines += [f"{name},{' '.join(caption)} ." for caption in said]
    (root / "captions.txt").write_text("\n".join(lines) + "\n")
    return root


def run(folder: Path, photos: int, encoder: Path, more: str) -> Memory:
    """One epoch on so many photos, from reading the captions to the artifact."""
    dataset, memory, started = write_dataset(folder / "data", photos), Memory(), time.perf_counter()
    command = [sys.executable, "training/train.py", "--dataset", dataset, "--encoder", encoder, "--epochs", "1"]
    command += ["--work", folder / "work", "--output", folder / "artifacts", *more.split()]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with (
        (folder / "stderr").open("w+") as errors,
        subprocess.Popen(
            [*map(str, command)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        phase = ["the captions"]
        watching = threading.Thread(target=_watch, args=(process, phase, memory))
        watching.start()
        for line in process.stdout or ():
            print(line, end="", flush=True)
            phase[0] = next((name for start, name in PHASES.items() if line.startswith(start)), phase[0])
        watching.join()
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"train.py ended with {process.returncode}:\n{errors.read()[-2000:]}")
    memory.seconds = time.perf_counter() - started
    return memory


def _watch(process: subprocess.Popen[str], phase: list[str], memory: Memory) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        memory.note(phase[0], status.read_text())
        time.sleep(0.1)


def page(runs: dict[str, Memory]) -> str:
    """The section of docs/scale.md."""
    phases = ["the captions", *PHASES.values()]
    rows = [
        (
            title,
            *(f"{memory.resident.get(phase, 0):,.0f} / {memory.anonymous.get(phase, 0):,.0f}" for phase in phases),
            f"{memory.seconds / 60:.0f} min",
        )
        for title, memory in runs.items()
    ]
    most = max(max(memory.resident.values()) for memory in runs.values())
    return f"""
## Memory

Written by `python benchmarks/scale.py`: {conditions()}

`training/train.py` for one epoch on photos and captions made up by code, five captions a photo. Megabytes, the most
that each phase held: all that is resident / what the kernel could not drop (anonymous memory). The cheap encoder
gives ResNet-50's grid, 7×7×2048, so that the features file is as large as the real one
({FLICKR30K * 49 * 2048 * 2 / 1e9:.1f} GB for Flickr30k); its decoder is small.
What the real networks add does not depend on the number of photos: last row.

{table(("", *phases, "took"), rows)}

The most of any run: {most:,.0f} MB, wanted: under {LIMIT:,} MB: {"reached" if most < LIMIT else "**missed**"}.
"""


if __name__ == "__main__":
    sys.exit(main())
