"""Requests of all sorts, one after the other."""

from tests.servers import Server

from .conftest import Told
from .soak import GROWTH, photos, soak

REQUESTS = 400


def test_memory_stays_as_it_was(server: Server, told: Told) -> None:
    """`make soak` sends 10,000 to the shipped artifact."""
    outcome = soak(server, photos((200, 150)), REQUESTS, seed=1, warm_up=REQUESTS // 4)
    assert outcome.same_workers and outcome.growth <= GROWTH
    assert outcome.answers.keys() <= {
        *("200", "400 bad_form", "400 no_file", "404 not_found", "413 too_large", "415 not_an_image"),
        *("422 damaged_image", "left"),
    }
    counted = ", ".join(f"{answer} × {count}" for answer, count in outcome.answers.most_common())
    told(f"{REQUESTS} requests: {100 * outcome.growth:.1f} % more memory", counted, outcome.seconds)
