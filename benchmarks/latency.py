"""How long a caption takes: `python benchmarks/latency.py` writes docs/performance.md, in about five minutes.

The tutorials' loop, the captioner on TensorFlow and on its own runtime, one after the other, each in a process of its
own, on the same photos: crops of the samples that ship, or of those in a folder. Leave the machine alone meanwhile.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.photos import PHONE, SAMPLES, USUAL, read_all, write_photos
from benchmarks.processes import measure
from benchmarks.report import ROOT, conditions, cores, milliseconds, table, write_section
from benchmarks.serving import megabytes_of, post, serving
from model.processor import reduced_precision_units

Figures = dict[str, Any]
README = ROOT / "README.md"
SHIPPED = "**OpenVINO, as shipped**"
RUNS = {  # title -> precision and backend
    "TensorFlow, float32": ("float32", "tensorflow"),
    "OpenVINO, float32": ("float32",),
    SHIPPED: (),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, and say what was reached; 0 if all of it was."""
    parser = argparse.ArgumentParser(description="Measure how long a caption takes; writes docs/performance.md.")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--photos", type=Path, metavar="DIR", default=SAMPLES, help="instead of the samples")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder, 32, USUAL, options.photos)
        write_photos(folder, 6, PHONE, options.photos)
        figures = measure_all(options.artifacts, folder)
    goals = reached(figures)
    source = "the samples that ship" if options.photos == SAMPLES else "those in a folder"
    write_section("latency", page(figures, goals, f"crops of {source}"))
    if "<!-- speed:begin -->" in README.read_text():
        write_section("speed", summary(figures), README)
    print(table(("goal", "wanted", "measured", ""), goals))
    return 0 if all(goal[-1] == "reached" for goal in goals) else 1


def measure_all(artifacts: Path, folder: Path) -> Figures:
    """Everything, one after the other; says what it is at."""

    def run(name: str, *settings: str) -> Figures:
        print(f"measuring: {name} {' '.join(settings)}", flush=True)
        return measure(name, artifacts, folder, *settings)

    on_tensorflow = ("float32", "tensorflow")
    figures: Figures = {name: run(name, *on_tensorflow) for name in ("tutorial", "forward")}
    figures["first on TensorFlow"] = run("first", *on_tensorflow)
    figures["first"] = sorted((run("first") for _ in range(3)), key=lambda one: one["seconds"])[1]
    figures |= {title: run("captions", *settings) for title, settings in RUNS.items()}
    print("measuring: the server", flush=True)
    return figures | {"http": over_http(artifacts, folder)}


def over_http(artifacts: Path, folder: Path) -> Figures:
    """One client that keeps its connection and asks again once it is answered."""
    photos = read_all(sorted(folder.glob(f"{USUAL[0]}x{USUAL[1]}-*.jpg")))
    with serving(artifacts, folder / "server.log") as (port, pid):
        connection, seconds = HTTPConnection("127.0.0.1", port, timeout=60), []
        for photo in [*photos[:3], *photos]:
            started = time.perf_counter()
            status, _, answer = post(connection, photo)
            seconds.append(time.perf_counter() - started)
            if status != 200:
                raise SystemExit(f"the server answered {status}: {answer}")
        return {"one": median(seconds[3:]), "megabytes": megabytes_of(pid)}


def reached(figures: Figures) -> list[tuple[str, str, str, str]]:
    """What the captioner is meant to do, what it does, and whether that is enough."""
    shipped, times = figures[SHIPPED], 30 if reduced_precision_units() else 12
    faster, encoders = figures["tutorial"]["one"] / shipped["one"], shipped["one"] / shipped["parts"]["encode"]
    bulk, batch = 1 / shipped["bulk"], 1 / shipped["batches"][str(32)]
    goals = [
        ("faster than the tutorials' loop", f"{times} times", f"{faster:.1f} times", faster >= times),
        ("in forward passes of the encoder", "2", f"{encoders:.2f}", encoders <= 2),
        ("first caption after the process starts", "3 s", f"{figures['first']['seconds']:.2f} s",
         figures["first"]["seconds"] <= 3),
        ("resident memory", "600 MB", f"{shipped['megabytes']:.0f} MB", shipped["megabytes"] <= 600),
        ("`python -m model FOLDER`, of the batch pipeline", "0.9", f"{bulk / batch:.2f}", bulk >= 0.9 * batch),
    ]  # fmt: skip
    return [(what, wanted, found, "reached" if enough else "**missed**") for what, wanted, found, enough in goals]


def page(figures: Figures, goals: Sequence[Sequence[str]], photos: str) -> str:
    """The section of docs/performance.md."""
    shipped, tutorial = figures[SHIPPED], figures["tutorial"]["one"]
    units = ", ".join(sorted(reduced_precision_units())) or "none"
    size = "×".join(map(str, USUAL))
    rows = [
        ("the tutorials' loop", milliseconds(tutorial), "", "", "", "", "1.0"),
        *(
            (
                title,
                milliseconds(run["one"]),
                *(milliseconds(run["batches"][count]) for count in ("8", "32")),
                milliseconds(run["phone"]),
                f"{1 / run['bulk']:.1f}",
                f"{tutorial / run['one']:.1f}",
            )
            for title, run in ((title, figures[title]) for title in RUNS)
        ),
        ("the same over HTTP", milliseconds(figures["http"]["one"]), "", "", "", "",
         f"{tutorial / figures['http']['one']:.1f}"),
    ]  # fmt: skip
    parts = [
        (title, *(milliseconds(figures[title]["parts"][part]) for part in ("decode", "encode", "search")))
        for title in RUNS
    ]
    memory = [
        ("the tutorials' loop", "", f"{figures['tutorial']['megabytes']:.0f} MB"),
        ("TensorFlow", f"{figures['first on TensorFlow']['seconds']:.2f} s",
         f"{figures['TensorFlow, float32']['megabytes']:.0f} MB"),
        (SHIPPED, f"{figures['first']['seconds']:.2f} s", f"{shipped['megabytes']:.0f} MB"),
        ("the same after batches of 32", "", f"{shipped['megabytes_in_batches']:.0f} MB"),
        ("the server, with gunicorn's master", "", f"{figures['http']['megabytes']:.0f} MB"),
    ]  # fmt: skip
    return f"""
# Performance

Written by `python benchmarks/latency.py`: {conditions()} Units for reduced precision: {units}. Photos: {photos}.

## One caption

From the bytes of a JPEG to the caption, beam width {shipped["beam_width"]}, the median of 32 photos; batches: the
best, a photo's share. The tutorials' loop is ResNet-50 by `predict`, then an LSTM of 256 units by `predict` on the
padded prefix for each of 11 words; TensorFlow's forward pass of our encoder alone takes
{milliseconds(figures["forward"]["one"])}.

{table(("", f"one of {size}", "in 8", "in 32", "12 megapixels", "photos/s of a folder", "times faster"), rows)}

A photo's share of a batch of 8 takes {shipped["batches"]["8"] / shipped["one"]:.2f} of what it takes alone, so the
server captions the photos of requests that wait at the same time together, up to 8 of them.

{table(("parts of one caption", "decode", "encode", "search"), parts)}

{table(("", "first caption", "resident memory"), memory)}

{table(("goal", "wanted", "measured", ""), goals)}
"""


def summary(figures: Figures) -> str:
    """The paragraph of the README."""
    shipped = figures[SHIPPED]
    return (
        f"{milliseconds(shipped['one'])} a photo from the bytes of a JPEG on {cores()} cores without a GPU, "
        f"{figures['tutorial']['one'] / shipped['one']:.0f} times faster than the loop of the tutorials; the first "
        f"caption comes {figures['first']['seconds']:.1f} s after the process starts, and "
        f"{shipped['megabytes']:.0f} MB are resident: [docs/performance.md](docs/performance.md)."
    )


if __name__ == "__main__":
    sys.exit(main())
