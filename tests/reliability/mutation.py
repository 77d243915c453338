"""Picture files with flipped, cut and spliced bytes against the real server.

`make mutation` sends 10,000 of them to two workers with a small untrained network (it is the reading of files that is
tried) and writes its part of docs/reliability.md. The seed decides every byte.
"""

import argparse
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median

from PIL import Image

from benchmarks.report import milliseconds, table
from tests.pictures import corners, encode, gradient, noise, png_chunk
from tests.servers import GUNICORN, Server, running

from .asking import caption, workers
from .writing import circumstances, write

ANSWERS = ("200", "400 empty_file", "415 not_an_image", "422 damaged_image", "422 too_many_pixels")
CLIENTS = 4


def originals() -> dict[str, list[bytes]]:
    """Whole files of each format, in the forms that take a path of their own through a decoder."""
    plain, rough = gradient(96, 64), noise(40, 30)
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = corners()
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    moving = {"save_all": True, "append_images": [noise(40, 30, seed) for seed in range(1, 4)]}
    return {
        "JPEG": [
            encode(plain, "JPEG"),
            encode(plain, "JPEG", progressive=True, exif=exif),
            encode(rough, "JPEG", quality=100, subsampling=0, comment=b"a comment"),
            encode(plain.convert("CMYK"), "JPEG"),
            encode(plain.convert("L"), "JPEG", restart_marker_blocks=2),
            encode(rough, "MPO", **moving),
        ],
        "PNG": [
            encode(plain, "PNG", exif=exif),
            encode(rough.quantize(16), "PNG", transparency=3),
            encode(clear, "PNG", icc_profile=b"a profile"),
            encode(plain.convert("1"), "PNG"),
            encode(plain.convert("I;16"), "PNG"),
            encode(rough, "PNG", **moving),
        ],
        "WebP": [
            encode(plain, "WEBP"),
            encode(clear, "WEBP", lossless=True, exif=exif),
            encode(rough, "WEBP", **moving),
        ],
        "GIF": [
            encode(plain.quantize(64), "GIF"),
            encode(rough.quantize(8), "GIF", transparency=1),
            encode(rough, "GIF", **moving),
        ],
        "BMP": [
            encode(plain, "BMP"),
            encode(plain.convert("1"), "BMP"),
            encode(rough.quantize(16), "BMP"),
            encode(clear, "BMP"),
        ],
    }


def mutants(seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Format and bytes of one file after the other, each format in turn, without end."""
    random, files = Random(seed), originals()
    everything = [file for each in files.values() for file in each]
    while True:
        for name, whole in files.items():
            data = bytearray(random.choice(whole))
            for _ in range(random.choice((1, 1, 2, 3))):
                random.choice((_flip, _flip, _set, _cut, _end, _splice))(data, random, random.choice(everything))
            yield name, _with_checksums(bytes(data)) if name == "PNG" and random.random() < 0.5 else bytes(data)


def _place(data: bytearray, random: Random) -> int:
    """Half of all changes hit the first hundred bytes, where sizes and tables are."""
    end = min(len(data), 100) if random.random() < 0.5 else len(data)
    return random.randrange(max(1, end))


def _flip(data: bytearray, random: Random, _: bytes) -> None:
    for _bit in range(random.choice((1, 2, 8, 40))):
        if data:
            data[_place(data, random)] ^= 1 << random.randrange(8)


def _set(data: bytearray, random: Random, _: bytes) -> None:
    start = _place(data, random)
    length = len(data[start : start + random.choice((1, 2, 4))])
    data[start : start + length] = random.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length


def _cut(data: bytearray, random: Random, _: bytes) -> None:
    start = _place(data, random)
    del data[start : start + random.choice((1, 3, 50, 1000))]


def _end(data: bytearray, random: Random, _: bytes) -> None:
    del data[random.randrange(len(data) + 1) :]


def _splice(data: bytearray, random: Random, other: bytes) -> None:
    """A piece of another file, or of this one, in the place of some bytes or between them."""
    source = random.choice((other, bytes(data))) or other
    start, length = random.randrange(len(source)), random.choice((1, 8, 100, 2000))
    place = _place(data, random)
    data[place : place + random.choice((0, length))] = source[start : start + length]


def _with_checksums(data: bytes) -> bytes:
    """Else nearly every change to a PNG ends at a wrong checksum, and its decoder is never tried."""
    mended, place = data[:8], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        mended += png_chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length])[: length + 12]
        place += length + 12
    return mended + data[place:]


@dataclass
class Outcome:
    """What a server said to mutants."""

    answers: dict[str, Counter[str]]  # by format
    seconds: list[float]  # of each
    dead_workers: int


def try_out(server: Server, count: int, seed: int = 0) -> Outcome:
    """Send them, a few at a time. Raises AssertionError for a problem without the form of one."""
    before = workers(server)
    answers: dict[str, Counter[str]] = {name: Counter() for name in originals()}
    seconds = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        files = islice(mutants(seed), count)
        while some := list(islice(files, 500)):
            for (name, _), answer in zip(some, pool.map(lambda file: caption(server, file[1]), some), strict=True):
                answers[name][str(answer)] += 1
                seconds.append(answer.seconds)
            print(f"{sum(each.total() for each in answers.values()):,} of {count:,}", flush=True)
    return Outcome(answers, seconds, len(set(before) - set(workers(server))))


def page(outcome: Outcome, seed: int) -> str:
    """The section of docs/reliability.md."""
    columns = (*ANSWERS, *sorted({answer for each in outcome.answers.values() for answer in each} - {*ANSWERS}))
    rows = [(name, each.total(), *(each[answer] for answer in columns)) for name, each in outcome.answers.items()]
    total = sum(each.total() for each in outcome.answers.values())
    bad = sum(count for each in outcome.answers.values() for answer, count in each.items() if answer >= "5")
    return f"""
## Files with flipped, cut and spliced bytes

Written by `make mutation`: {circumstances()} {total:,} files, seed {seed}, two workers, a small untrained network,
{CLIENTS} clients. Answers of 5xx: {bad}. Dead workers: {outcome.dead_workers}. Half of the answers came
within {milliseconds(median(outcome.seconds))}, the slowest after {milliseconds(max(outcome.seconds))}.

{table(("format", "files", *columns), rows)}
"""


def main() -> int:
    """Send and write; 0 if every answer was one of those expected, and no worker died."""
    parser = argparse.ArgumentParser(description="Send damaged pictures to a server; writes docs/reliability.md.")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from model.bundle import save_bundle
    from tests.bundles import untrained

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_bundle(folder / "artifact", untrained())
        with running(GUNICORN, folder / "artifact", folder / "log", WORKERS="2") as server:
            outcome = try_out(server, options.files, options.seed)
    text = page(outcome, options.seed)
    write("mutation", text)
    print(text)
    expected = all(answer in ANSWERS for each in outcome.answers.values() for answer in each)
    return 0 if expected and not outcome.dead_workers else 1


if __name__ == "__main__":
    sys.exit(main())
