"""Laws of the cache: nothing is found but what was kept, and a store in trouble costs nobody a caption."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from redis import Redis

from model.captioner import Attention, Caption, WordAttention
from web import stores
from web.cache import CaptionCache, open_store
from web.stores import PATIENCE_SECONDS, MemoryStore, NoStore, RedisStore, Store
from web.uploads import Options

from .redis_server import redis_server
from .servers import free_port

OPTIONS = Options(num_captions=2, beam_width=3, return_image=False, return_attention=True)
LOOK = Attention((1, 2), (WordAttention("a", np.array([0.25, 0.75])), WordAttention("dog's", np.array([1.0, 0.0]))))
CAPTIONS = (Caption("a dog's life \u2603", -1.5, 0.625, LOOK), Caption("another", -2.5))
PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore(2**20)
    else:
        with redis_server() as url:
            yield patient(url)


def patient(url: str) -> RedisStore:
    """On a busy machine the first answer may take a while; tests of other things wait for it."""
    Redis.from_url(url).ping()
    return RedisStore(url)


@pytest.fixture(autouse=True)
def seconds_of_patience(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 5.0 if "store" in request.fixturenames else PATIENCE_SECONDS)


def same(found: Any, kept: tuple[Caption, ...]) -> bool:
    """Arrays aside, which `==` cannot compare."""
    words = [word for caption in found for word in (caption.attention.words if caption.attention else ())]
    expected = [word for caption in kept for word in (caption.attention.words if caption.attention else ())]
    return [replace(one, attention=None) for one in found] == [replace(one, attention=None) for one in kept] and all(
        a.word == b.word and np.allclose(a.weights, b.weights) for a, b in zip(words, expected, strict=True)
    )


def test_what_was_kept_is_found_under_each_of_its_keys(store: Store) -> None:
    cache = CaptionCache(store, "artifact")
    keys = [cache.key(b"upload", OPTIONS), cache.key(PIXELS, OPTIONS)]
    assert [cache.read(key) for key in keys] == [None, None]
    cache.keep(keys, CAPTIONS)
    assert all(same(cache.read(key), CAPTIONS) for key in keys)


@pytest.mark.parametrize(
    ("artifact", "content", "options"),
    [
        ("another artifact", b"upload", OPTIONS),
        ("artifact", b"another upload", OPTIONS),
        ("artifact", b"upload", replace(OPTIONS, num_captions=1)),
        ("artifact", b"upload", replace(OPTIONS, beam_width=4)),
        ("artifact", b"upload", replace(OPTIONS, return_attention=False)),
    ],
)
def test_another_artifact_upload_or_option_finds_nothing(artifact: str, content: bytes, options: Options) -> None:
    store = MemoryStore(2**20)
    first, other = CaptionCache(store, "artifact"), CaptionCache(store, artifact)
    first.keep([first.key(b"upload", OPTIONS)], CAPTIONS)
    assert other.read(other.key(content, options)) is None


def test_the_picture_sent_back_is_no_part_of_the_key() -> None:
    cache = CaptionCache(NoStore(), "artifact")
    assert cache.key(PIXELS, OPTIONS) == cache.key(PIXELS.copy(), replace(OPTIONS, return_image=True))


def test_nothing_of_the_photo_is_kept() -> None:
    kept: dict[str, bytes] = {}

    class Watched(NoStore):
        def keep(self, keys: Any, value: bytes) -> None:
            kept.update(dict.fromkeys(keys, value))

    cache, upload = CaptionCache(Watched(), "artifact"), bytes(range(256)) * 40
    pixels = np.frombuffer(upload[:9408], np.uint8).reshape(56, 56, 3)
    cache.keep([cache.key(upload, OPTIONS), cache.key(pixels, OPTIONS)], CAPTIONS)
    assert len(kept) == 2
    assert all(upload[:8] not in key.encode() + value and len(key) + len(value) < 1000 for key, value in kept.items())


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\xff\xfe", b"[]", b"{}", b"7", b"null", b'"text"', b"[[]]", b'[{"text": 1}]', b"[" * 100_000,
     b'[{"text": "a", "log_probability": NaN, "confidence": null, "attention": null}]',
     b'[{"text": "a", "log_probability": "x", "confidence": null, "attention": null}]',
     b'[{"text": ["a"], "log_probability": -1, "confidence": null, "attention": null}]',
     b'[{"text": "a", "log_probability": -1, "confidence": null, "attention": {"grid": [1], "words": []}}]',
     b'[{"text": "\\ud800", "log_probability": -1, "confidence": null, "attention": null}]',
     b'[{"text": "a", "log_probability": -1' + b"0" * 400 + b', "confidence": null, "attention": null}]',
     b'[{"text": "a", "log_probability": -1, "confidence": 0, "attention": {"grid": [1, Infinity], "words": []}}]',
     b'[{"text": "", "log_probability": -1, "confidence": 2, "attention": {"grid": [1, 1], "words": [["", [1, 2]]]}}]'],
)  # fmt: skip
def test_nonsense_in_the_store_is_as_good_as_nothing(nonsense: bytes) -> None:
    store = MemoryStore(2**20)
    cache = CaptionCache(store, "artifact")
    store.keep([cache.key(b"upload", OPTIONS)], nonsense)
    assert cache.read(cache.key(b"upload", OPTIONS)) is None


def test_memory_stays_within_its_bound_and_lets_the_longest_unread_go() -> None:
    store = MemoryStore(10_000)
    for number in range(1000):
        store.keep([str(number)], bytes(700))
        assert store.read("0") is not None  # read every time, so it stays
    present = [number for number in range(1000) if store.read(str(number)) is not None]
    assert present == [0, *range(991, 1000)]
    store.keep(["huge"], bytes(20_000))
    assert store.read("huge") is None and store.read("0") is not None


def test_a_size_of_zero_turns_the_cache_off() -> None:
    store = open_store("", 0)
    store.keep(["key"], b"value")
    assert store.read("key") is None


def test_replicas_share_what_one_of_them_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 5.0)
    with redis_server() as url:
        one, other = CaptionCache(patient(url), "artifact"), CaptionCache(patient(url), "artifact")
        one.keep([one.key(b"upload", OPTIONS)], CAPTIONS)
        assert same(other.read(other.key(b"upload", OPTIONS)), CAPTIONS)
        (key,) = Redis.from_url(url).keys()
        assert 0 < int(Redis.from_url(url).ttl(key)) <= stores.DAY


# ---------------------------------------------------------------- trouble


@contextmanager
def stranger(answer: bytes | None) -> Iterator[tuple[str, list[int]]]:
    """Something on a port that is no Redis: it says `answer`, or nothing at all. Yields a URL and who called."""
    calls, held = [], []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, (_, port) = listener.accept()
                except OSError:
                    return
                calls.append(port)
                held.append(connection)  # and kept open
                if answer is not None:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", calls
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()


def test_a_photo_waits_less_than_50_milliseconds_for_all_it_asks() -> None:
    assert 4 * PATIENCE_SECONDS < 0.05  # the rate limit, two keys to read, the captions to keep


@pytest.mark.parametrize(
    "answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$9999999999\r\n", b"\x00" * 5000, b":1\r\n" * 9]
)
def test_a_server_that_is_no_redis_is_asked_once_and_then_left_alone(answer: bytes | None) -> None:
    with stranger(answer) as (url, calls):
        store = RedisStore(url)
        assert store.read("key") is None
        if answer is None or not answer.startswith(b":"):  # a lucky stranger may say what sounds like an answer
            asked = len(calls)
            store.keep(["key"], b"value")
            assert store.read("key") is None
            assert len(calls) == asked


def test_a_redis_that_is_gone_and_back_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 5.0)
    port = free_port()
    store = RedisStore(f"redis://127.0.0.1:{port}/0")
    assert store.read("key") is None
    monkeypatch.setattr(store, "_silent_until", 0.0)  # the pause is over
    with redis_server(port):
        store.keep(["key"], b"value")
        assert store.read("key") == b"value"
    assert store.read("key") is None


def test_a_key_of_another_kind_is_as_good_as_nothing() -> None:
    with redis_server() as url:
        Redis.from_url(url).lpush("key", "value")
        assert RedisStore(url).read("key") is None


def test_of_a_huge_value_only_the_beginning_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 5.0)
    with redis_server() as url:
        Redis.from_url(url).set("key", bytes(3 * stores.LARGEST))
        assert len(patient(url).read("key") or b"") == stores.LARGEST
