"""Where cached captions live: in this process, or in a Redis that all replicas share. Neither is ever waited for."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import monotonic
from typing import Protocol, TypeVar

from cachetools import LRUCache

from web.logs import write_log

DAY = 24 * 3600
ENTRY_BYTES = 300  # of memory that an entry takes beside its value
PATIENCE_SECONDS = 0.012  # for an answer of Redis, which a photo asks up to four times
LATE_SECONDS = 1.0  # by when an answer that nobody waits for is given up
LARGEST = 2**20  # bytes of an entry; whatever else lies in a Redis must not fill our memory
PAUSE_SECONDS = 2.0  # after which one photo tries again

Answer = TypeVar("Answer")


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


class PatientRedis:
    """A Redis that is never waited for: one that is gone or slow costs `PATIENCE_SECONDS`, then nothing for a while."""

    def __init__(self, url: str) -> None:
        """`url` as `Settings` lets it in; whether a Redis answers there is seen later."""
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.client = Redis.from_url(
            url, socket_timeout=LATE_SECONDS, socket_connect_timeout=LATE_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        # In threads of their own, since none of the client's limits holds while it looks up a name.
        self._threads = ThreadPoolExecutor(8, "redis")
        self._silent_until = 0.0

    def ask(self, command: Callable[[], Answer]) -> Answer | None:
        """What `command` gives, which talks to `client`; None where that takes too long or fails."""
        if monotonic() < self._silent_until:
            return None
        answer = self._threads.submit(command)
        try:
            return answer.result(PATIENCE_SECONDS)
        except Exception as error:  # whatever a stranger on that port may say, the photo is captioned
            answer.cancel()
            self._silent_until = monotonic() + PAUSE_SECONDS
            write_log("Redis did not answer", level=logging.WARNING, error=error)
            return None


class RedisStore(PatientRedis):
    """A Redis, for a day."""

    def read(self, key: str) -> bytes | None:
        """What any replica kept."""
        value = self.ask(lambda: self.client.getrange(key, 0, LARGEST - 1))
        return value if isinstance(value, bytes) and value else None

    def keep(self, keys: Sequence[str], value: bytes) -> None:
        """Keep it for every replica."""
        together = self.client.pipeline(transaction=False)
        for key in keys:
            together.set(key, value, ex=DAY)
        self.ask(together.execute)
