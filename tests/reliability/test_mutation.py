"""Files with flipped, cut and spliced bytes."""

import time

from tests.servers import Server

from .conftest import Told
from .mutation import ANSWERS, mutants, try_out

FILES = 400


def test_damaged_files_never_end_in_a_5xx_nor_in_a_dead_worker(server: Server, told: Told) -> None:
    """`make mutation` sends 10,000."""
    started = time.perf_counter()
    outcome = try_out(server, FILES, seed=1)
    assert outcome.dead_workers == 0
    for name, answers in outcome.answers.items():
        assert answers.keys() <= {*ANSWERS}, name
        assert answers["200"] and answers["422 damaged_image"], name  # else the changes are too small, or too large
    counted = sum(outcome.answers.values(), start=type(answers)())
    told(
        f"{FILES} files",
        ", ".join(f"{what} × {count}" for what, count in counted.items()),
        time.perf_counter() - started,
    )


def test_the_seed_decides_every_byte() -> None:
    one, same, other = mutants(3), mutants(3), mutants(4)
    files = [[next(each)[1] for _ in range(50)] for each in (one, same, other)]
    assert files[0] == files[1] != files[2]
