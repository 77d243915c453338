"""Where cached captions live: in this process, or in a Redis that all replicas share. Neither is ever waited for."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import monotonic
from typing import Protocol

from cachetools import LRUCache

from model.errors import SettingsError
from web.logs import write_log

DAY = 24 * 3600
ENTRY_BYTES = 300  # of memory that an entry takes beside its value
PATIENCE_SECONDS = 0.012  # for an answer of Redis, which a photo asks up to three times
LATE_SECONDS = 1.0  # by when an answer that nobody waits for is given up
LARGEST = 2**20  # bytes of an entry; whatever else lies in a Redis must not fill our memory
PAUSE_SECONDS = 2.0  # after which one photo tries again


class Store(Protocol):
    """Bytes by key. What was kept may be gone at any time; nothing is ever raised."""

    def read(self, key: str) -> bytes | None:
        """What was kept last under `key`."""

    def keep(self, keys: Sequence[str], value: bytes) -> None:
        """Keep it under each of `keys`, unless there is no room."""


class NoStore:
    """Keeps nothing."""

    def read(self, key: str) -> bytes | None:
        """Nothing."""

    def keep(self, keys: Sequence[str], value: bytes) -> None:
        """Drop it."""


class MemoryStore:
    """The latest of this process, up to a size in bytes."""

    def __init__(self, limit: int) -> None:
        self._entries: LRUCache[str, bytes] = LRUCache(limit, getsizeof=lambda entry: len(entry) + ENTRY_BYTES)
        self._lock = Lock()

    def read(self, key: str) -> bytes | None:
        """What was kept last, and makes it the last to go."""
        with self._lock:
            return self._entries.get(key)

    def keep(self, keys: Sequence[str], value: bytes) -> None:
        """Keep it, and let the longest unread go."""
        with self._lock:
            for key in keys:
                if self._entries.getsizeof(value) <= self._entries.maxsize:
                    self._entries[key] = value


class RedisStore:
    """A Redis, for a day. One that is gone or slow costs a photo `PATIENCE_SECONDS`, and then nothing for a while."""

    def __init__(self, url: str) -> None:
        """Raises SettingsError for an impossible URL; whether a Redis answers there is seen later."""
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=LATE_SECONDS,
                socket_connect_timeout=LATE_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:  # its message may hold the password
            raise SettingsError(
                "REDIS_URL must look like redis://host:6379/0: correct it, or unset it to cache in memory."
            ) from error
        # In threads of their own, since none of the client's limits holds while it looks up a name.
        self._threads = ThreadPoolExecutor(8, "cache")
        self._silent_until = 0.0

    def read(self, key: str) -> bytes | None:
        """What any replica kept."""
        value = self._ask(lambda: self._redis.getrange(key, 0, LARGEST - 1))
        return value if isinstance(value, bytes) and value else None

    def keep(self, keys: Sequence[str], value: bytes) -> None:
        """Keep it for every replica."""
        together = self._redis.pipeline(transaction=False)
        for key in keys:
            together.set(key, value, ex=DAY)
        self._ask(together.execute)

    def _ask(self, command: Callable[[], object]) -> object:
        if monotonic() < self._silent_until:
            return None
        answer = self._threads.submit(command)
        try:
            return answer.result(PATIENCE_SECONDS)
        except Exception as error:  # whatever a stranger on that port may say, the photo is captioned
            answer.cancel()
            self._silent_until = monotonic() + PAUSE_SECONDS
            write_log("the cache did not answer", level=logging.WARNING, error=error)
            return None
