"""Thousands of requests of all sorts against the real server, and what becomes of its memory.

`make soak` sends 10,000 to two workers with the shipped artifact, the cache off, greedy search, and writes its part of
docs/reliability.md. The seed decides what is sent; made-up photos of the usual size, whole and damaged ones, options,
the page, probes, and clients that leave.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.photos import USUAL
from benchmarks.report import ROOT, table
from tests.pictures import encode, noise
from tests.servers import GUNICORN, Server, form_of, running

from .asking import ask, begin, megabytes, workers
from .writing import circumstances, write

GROWTH = 0.05  # of the memory after the warm-up
WARM_UP = 1000  # requests, after which every buffer has its size
STEPS = 10  # at each of which the workers are weighed
CLIENTS = 4
PHOTOS = 32


@dataclass
class Outcome:
    """What the server said, and its memory on the way."""

    answers: Counter[str]
    memory: list[tuple[int, list[float]]]  # requests so far, megabytes of each worker
    warm_up: int  # requests
    seconds: float
    same_workers: bool

    @property
    def growth(self) -> float:
        """Of all workers together, from after the warm-up to the end: 0.05 is 5 %."""
        return sum(self.memory[-1][1]) / sum(self.warm[1]) - 1

    @property
    def warm(self) -> tuple[int, list[float]]:
        """The first weight after the warm-up."""
        return next(each for each in self.memory if each[0] >= self.warm_up)


def photos(size: tuple[int, int] = USUAL) -> list[bytes]:
    """Clouds of colour, each different."""
    forms = ("JPEG", "JPEG", "PNG", "WEBP")
    return [encode(noise(12, 9, seed).resize(size), forms[seed % len(forms)]) for seed in range(PHOTOS)]


def soak(server: Server, uploads: Sequence[bytes], requests: int, seed: int = 0, warm_up: int = WARM_UP) -> Outcome:
    """Ask `requests` times, a few at once, and weigh the workers on the way."""
    random, answers, memory = Random(seed), Counter[str](), list[tuple[int, list[float]]]()
    before, started, done, step = workers(server), time.perf_counter(), 0, max(1, requests // STEPS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        while done < requests:
            some = [_request(random, uploads) for _ in range(min(step, requests - done))]
            answers.update(pool.map(lambda request: request(server), some))
            done += len(some)
            memory.append((done, [megabytes(pid) for pid in workers(server)]))
            print(f"{done:,} requests, {time.perf_counter() - started:.0f} s, megabytes: {memory[-1][1]}", flush=True)
    return Outcome(answers, memory, warm_up, time.perf_counter() - started, before == workers(server))


def _request(random: Random, uploads: Sequence[bytes]) -> Callable[[Server], str]:
    """One request of some kind, as a function that says how it was answered."""
    photo = random.choice(uploads)
    kinds: dict[Callable[[Server], str], int] = {
        lambda server: _ask(server, form_of(photo)): 70,
        lambda server: _ask(server, form_of(photo), "/predict?beam_width=1&return_image=true"): 4,
        lambda server: _ask(server, form_of(photo), "/"): 3,
        lambda server: _ask(server, form_of(photo[: len(photo) // 3])): 5,
        lambda server: _ask(server, form_of(photo * (11 * 2**20 // len(photo)))): 1,
        lambda server: _ask(server, form_of(b"text")): 3,
        lambda server: _ask(server, form_of(photo)[:-40]): 3,
        lambda server: str(ask(server, kind="", path="/health", method="GET")): 4,
        lambda server: str(ask(server, kind="", path="/metrics", method="GET")): 2,
        lambda server: str(ask(server, kind="", path="/nowhere", method="GET")): 2,
        lambda server: _leave(server, form_of(photo)): 3,
    }
    return random.choices(list(kinds), list(kinds.values()))[0]


def _ask(server: Server, body: bytes, path: str = "/predict?beam_width=1") -> str:
    return str(ask(server, body, path=path))


def _leave(server: Server, body: bytes) -> str:
    with closing(begin(server, body, len(body) // 2)):
        return "left"


def page(outcome: Outcome, what: str) -> str:
    """The section of docs/reliability.md."""
    asked = outcome.memory[-1][0]
    rows = [(f"{done:,}", *(f"{each:.0f} MB" for each in weights)) for done, weights in outcome.memory]
    columns = [f"worker {number + 1}" for number in range(len(outcome.memory[0][1]))]
    answers = ", ".join(f"{answer} × {count:,}" for answer, count in outcome.answers.most_common())
    same = "those from" if outcome.same_workers else "**not those from**"
    verdict = "reached" if outcome.growth <= GROWTH else "**missed**"
    return f"""
## {asked:,} requests of all sorts

Written by `make soak`: {circumstances()} {what}, two workers, {CLIENTS} clients, {outcome.seconds / 60:.0f} minutes.
Resident memory grew by {100 * outcome.growth:.1f} % after the first {outcome.warm[0]:,} requests (wanted: at most
{100 * GROWTH:.0f} %, {verdict}); the workers are {same} the beginning. Answers: {answers}.

{table(("requests", *columns), rows)}
"""


def main() -> int:
    """Ask and write; 0 if memory stayed as it was, no worker died and no answer was a 5xx."""
    parser = argparse.ArgumentParser(description="Ask a server for a long time; writes docs/reliability.md.")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        with running(GUNICORN, options.artifacts.resolve(), log, WORKERS="2") as server:
            model = ask(server, kind="", path="/health", method="GET").body["model"]
            outcome = soak(server, photos(), options.requests, options.seed)
    text = page(outcome, f"The artifact {model['name']} {model['version']}, greedy search, the cache off")
    write(f"soak of {model['name']}", text)
    print(text)
    failed = [answer for answer in outcome.answers if answer.startswith("5")]
    return 0 if outcome.growth <= GROWTH and outcome.same_workers and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
