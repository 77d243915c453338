"""How many photos a client may send: counted by each process, or in a Redis for all of them together."""

import math
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from time import time

from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from web.problems import Problem
from web.stores import PatientRedis

NETWORK_BITS = 64  # of an IPv6 address: a home or a phone has as many addresses as it likes behind them


class RateLimit:
    """Counts from a client's first photo on, and anew when the time of a rate is over."""

    def __init__(self, rates: Sequence[RateLimitItem], redis_url: str) -> None:
        """Without a Redis, or while it does not answer, this process counts for itself."""
        self._rates = rates
        self._here = FixedWindowRateLimiter(MemoryStorage())
        self._redis = PatientRedis(redis_url) if redis_url else None
        if self._redis:
            pool = self._redis.client.connection_pool
            self._together = FixedWindowRateLimiter(RedisStorage("redis://", pool, key_prefix="photos"))

    def count(self, address: str | None) -> None:
        """One more photo of the client at `address`. Raises Problem `too_many_requests`."""
        client = network_of(address)
        for rate in self._rates:
            if wait := self._wait(rate, client):
                span = rate.get_expiry()
                detail = f"A client may send {rate.amount} photos in {span} seconds: come back in {wait} seconds."
                raise Problem("too_many_requests", detail, {"Retry-After": str(wait)})

    def _wait(self, rate: RateLimitItem, client: str) -> int:
        wait = self._redis.ask(lambda: _hit(self._together, rate, client)) if self._redis else None
        return _hit(self._here, rate, client) if wait is None else wait


def _hit(limiter: FixedWindowRateLimiter, rate: RateLimitItem, client: str) -> int:
    """Count one photo; 0 where it is let in, else the seconds until the next one may be."""
    if limiter.hit(rate, client):
        return 0
    return max(1, math.ceil(limiter.get_window_stats(rate, client).reset_time - time()))


def network_of(address: str | None) -> str:
    """Whom to count together: an IPv4 address, the network of an IPv6 address, or else the text as it is."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, NETWORK_BITS), strict=False))
