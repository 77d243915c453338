"""Many clients at once: `python benchmarks/load.py` writes its part of docs/performance.md, in about two minutes.

1, 8, 32 and 64 clients, each sending one photo after the other for a bounded time, all photos different, the cache off;
before them, the same photos through the batch pipeline of this process. A client that is told to come back later does
so. Clients and server share the cores, so the server's own share is a little better than it looks.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.photos import SAMPLES, USUAL, read_all, write_photos
from benchmarks.processes import measure
from benchmarks.report import ROOT, conditions, milliseconds, table, write_section
from benchmarks.serving import post, serving

CLIENTS = (1, 8, 32, 64)
PHOTOS = 128


@dataclass
class Load:
    """What some clients saw."""

    clients: int
    seconds: float
    waited: list[float] = field(default_factory=list)  # for each caption
    refused: int = 0  # 503: come back later
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Captions a second, all clients together."""
        return len(self.waited) / self.seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; 0 if no request failed and 32 clients get what they should."""
    parser = argparse.ArgumentParser(description="Measure the server under load; writes docs/performance.md.")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--photos", type=Path, metavar="DIR", default=SAMPLES, help="instead of the samples")
    parser.add_argument("--seconds", type=float, default=15, help="for each number of clients")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = read_all(write_photos(folder, PHOTOS, USUAL, options.photos))
        pipeline = measure("batches", options.artifacts, folder)["per_second"]
        with serving(options.artifacts, folder / "server.log") as (port, _):
            put_load_on(port, photos, 1, 2)  # warm
            loads = [put_load_on(port, photos, clients, options.seconds) for clients in CLIENTS]
    share = next(load.per_second for load in loads if load.clients == 32) / pipeline
    text = page(loads, pipeline, share)
    write_section("load", text)
    print(text)
    return 0 if share >= 0.8 and not any(load.errors for load in loads) else 1


def put_load_on(port: int, photos: Sequence[bytes], clients: int, seconds: float) -> Load:
    """What `clients` see within `seconds`; who has sent a photo then still waits for its caption."""
    print(f"measuring: {clients} clients for {seconds:g} s", flush=True)
    load, lock, numbers = Load(clients, seconds), threading.Lock(), count()
    until = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=_client, args=(port, photos, numbers, until, load, lock)) for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - (until - seconds)
    return load


def _client(
    port: int, photos: Sequence[bytes], numbers: "count[int]", until: float, load: Load, lock: threading.Lock
) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    while (started := time.perf_counter()) < until:
        with lock:
            photo = photos[next(numbers) % len(photos)]
        try:
            status, retry_after, _ = post(connection, photo)
            outcome = str(status)
        except (OSError, HTTPException, ValueError) as exc:
            outcome, retry_after = type(exc).__name__, 0.0
            connection.close()  # the next request opens it again
        with lock:
            if outcome == "200":
                load.waited.append(time.perf_counter() - started)
            elif outcome == "503":
                load.refused += 1
            else:
                load.errors[outcome] += 1
        time.sleep(min(retry_after, max(0.0, until - time.perf_counter())))
    connection.close()


def page(loads: Sequence[Load], pipeline: float, share: float) -> str:
    """The section of docs/performance.md."""
    rows = []
    for load in loads:
        percentiles = np.percentile(load.waited, (50, 95, 99)) if load.waited else (0.0,) * 3
        errors = ", ".join(f"{number} × {what}" for what, number in load.errors.items()) or "0"
        times = map(milliseconds, map(float, percentiles))
        rows.append((load.clients, f"{load.per_second:.1f}", *times, load.refused, errors))
    verdict = "reached" if share >= 0.8 else "**missed**"
    return f"""
## Many clients

Written by `python benchmarks/load.py`: {conditions()} One process of the server, its default limits, the cache off,
{PHOTOS} different photos of {"×".join(map(str, USUAL))}. A refusal is a 503 with `Retry-After`, which the clients heed.

{table(("clients", "captions/s", "p50", "p95", "p99", "refused", "errors"), rows)}

The batch pipeline alone, without HTTP, makes {pipeline:.1f} captions a second of the same photos in batches of 32; 32
clients get {share:.2f} of that (wanted: 0.8, {verdict}).
"""


if __name__ == "__main__":
    sys.exit(main())
