"""A Redis that is gone, slow, or holds nonsense."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from PIL import Image
from redis import Redis

from tests.pictures import corners, encode, noise
from tests.redis_server import redis_process
from tests.servers import EDGE, GUNICORN, Server, running
from web.stores import PAUSE_SECONDS

from .asking import Answer, ask, caption, until
from .cases import form, part
from .conftest import Told

SECRET = "Vilnius-1990"
GPS, ARTIST = 0x8825, 0x013B
LATER = 0.05  # seconds that a photo may wait for a cache in trouble; tests allow ten times that


@pytest.fixture(scope="module")
def redis() -> Iterator[tuple[str, int]]:
    """Its URL and process id."""
    with redis_process() as (url, process):
        yield url, process.pid


@pytest.fixture(scope="module")
def server(artifact: Path, redis: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("cached") / "log"
    with running(GUNICORN, artifact, log, WORKERS="2", REDIS_URL=redis[0]) as server:
        yield server
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def usual(server: Server) -> float:
    """Seconds of a photo that no cache knows."""
    return median(fresh(server, seed).seconds for seed in range(8))


def fresh(server: Server, seed: int) -> Answer:
    """A photo that was never sent before."""
    answer = caption(server, encode(noise(seed=seed), "PNG"))
    assert answer.status == 200 and not answer.body["cached"]
    return answer


def test_a_photo_is_captioned_once_for_both_workers(server: Server, told: Told, usual: float) -> None:
    photo = encode(corners(), "PNG")
    answers = [caption(server, photo)]
    while not answers[-1].body["cached"]:  # a busy Redis may be too late, now and then
        assert len(answers) < 1000
        answers.append(caption(server, photo))
    assert len({str(answer.captions) for answer in answers}) == 1
    told("the same photo again, two workers", "200, from the cache", answers[-1].seconds)


def test_nothing_that_a_client_wrote_reaches_the_cache_the_log_or_the_answer(
    server: Server, redis: tuple[str, int], told: Told
) -> None:
    exif = Image.Exif()
    exif[ARTIST], exif[GPS] = SECRET, {1: "N", 2: (54.0, 41.0, 13.0), 29: SECRET}
    photo = encode(corners(64, 40), "JPEG", exif=exif, comment=SECRET.encode(), icc_profile=SECRET.encode())
    body = form(
        part(photo, file=f"../{SECRET}.jpg".encode(), kind=f"image/{SECRET}"), part(SECRET.encode(), "note", None)
    )
    answers = [ask(server, body, f"multipart/form-data; note={SECRET}; boundary={EDGE}", f"/predict?note={SECRET}")]
    answers += [ask(server, body, path=f"{path}return_image=true&note={SECRET}") for path in ("/predict?", "/?")]
    answers += [ask(server, body[:-40]), ask(server, kind="", path=f"/{SECRET}", method="GET")]
    answers += [ask(server, kind="", path="/metrics", method="GET")]
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 404, 200]
    client = Redis.from_url(redis[0])
    client.flushall()
    until(lambda: ask(server, body, path="/predict").status == 200 and client.dbsize() > 1)
    kept = [key + (client.get(key) or b"") for key in client.scan_iter()]
    everything = server.log.read_text().encode() + b"".join(kept)
    everything += b"".join(answer.text.encode() + str(answer.headers).encode() for answer in answers)
    assert kept and SECRET.encode() not in everything and b"54.0" not in everything
    told("GPS, author, comment, profile, file name, type, query", "in no answer, log line or entry of the cache")


def test_nonsense_in_the_cache_is_captioned_anew(
    server: Server, redis: tuple[str, int], told: Told, usual: float
) -> None:
    photo = encode(noise(seed=100), "PNG")
    expected, client = caption(server, photo).captions, Redis.from_url(redis[0])
    seconds = []
    for nonsense in (b"", b"\xff\xfe", b"[]", b'[{"text": "\\ud800"}]', b"[" * 100_000, bytes(3 * 2**20)):
        for key in client.scan_iter():
            client.set(key, nonsense)
        answer = caption(server, photo)
        assert answer.captions == expected and not answer.body["cached"]
        seconds.append(answer.seconds)
    later = max(0.0, median(seconds) - usual)
    assert later < 10 * LATER
    told("nonsense in every entry: half of 6 photos waited this much longer", "200, the right captions", later)


def test_a_cache_of_the_wrong_kind_is_no_cache(
    server: Server, redis: tuple[str, int], told: Told, usual: float
) -> None:
    photo, client = encode(noise(seed=101), "PNG"), Redis.from_url(redis[0])
    expected = caption(server, photo).captions
    for key in list(client.scan_iter()):
        client.delete(key)
        client.lpush(key, "a list")
    answer = caption(server, photo)
    assert answer.captions == expected
    told("lists in the place of entries: this much later", "200, the right captions", max(0.0, answer.seconds - usual))
    client.flushall()
    time.sleep(PAUSE_SECONDS)


@pytest.mark.parametrize(
    ("what", "kind"), [("hangs (SIGSTOP)", signal.SIGSTOP), ("is killed", signal.SIGKILL)], ids=["slow", "gone"]
)
def test_a_cache_in_trouble_costs_a_moment(
    server: Server, redis: tuple[str, int], told: Told, usual: float, what: str, kind: signal.Signals
) -> None:
    """Of each worker the first photo waits in vain; for a while the others do not ask."""
    os.kill(redis[1], kind)
    try:
        answers = [fresh(server, 1000 * kind + number) for number in range(8)]
    finally:
        if kind is signal.SIGSTOP:
            os.kill(redis[1], signal.SIGCONT)
    later = max(0.0, max(answer.seconds for answer in answers) - usual)
    assert later < 10 * LATER
    told(f"Redis {what}: the slowest of 8 photos waits this much longer", "200 × 8", later)
    if kind is signal.SIGSTOP:
        time.sleep(PAUSE_SECONDS)
