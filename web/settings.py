"""Settings of the server: each one is an environment variable of the same name in capitals."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from limits import RateLimitItem, parse_many

from model.errors import SettingsError


def _sets(what: str, between: tuple[int, int] | None = None) -> dict[str, Any]:
    """What a setting is for and, if it is a number, its smallest and largest value."""
    return {"sets": what, "between": between}


@dataclass(frozen=True)
class Settings:
    """Where to listen, what to serve, how much to take.

    Raises SettingsError for a value outside its range.
    """

    host: str = field(default="127.0.0.1", metadata=_sets("address to listen on (`0.0.0.0` in the container)"))
    port: int = field(default=5000, metadata=_sets("port to listen on", (1, 65535)))
    workers: int = field(
        default=1, metadata=_sets("processes; each loads the model and gets its share of the cores", (1, 64))
    )
    artifacts: Path = field(default=Path("artifacts"), metadata=_sets("folder of the trained model"))
    max_upload_mb: int = field(default=10, metadata=_sets("largest request", (1, 100)))
    deadline_seconds: int = field(
        default=30, metadata=_sets("longest that a request may take, its upload included", (1, 600))
    )
    max_waiting: int = field(
        default=32, metadata=_sets("photos of a process that may wait for the one being captioned", (0, 1000))
    )
    rate_limit: str = field(
        default="", metadata=_sets("photos that a client may send: `60/minute`, or several such with `;` between them")
    )
    trusted_proxies: int = field(
        default=0, metadata=_sets("proxies in front of it, whose `X-Forwarded-For` says who the client is", (0, 10))
    )
    cache_mb: int = field(
        default=16, metadata=_sets("memory for captions of photos that may come again; 0 caches nothing", (0, 4096))
    )
    redis_url: str = field(
        default="", metadata=_sets("a Redis for captions and rate limit, shared by all servers: `redis://host:6379/0`")
    )

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise _not_in_range(name, value)
        _ = self.rates
        if self.redis_url:
            _check_redis(self.redis_url)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """The defaults, overridden by the variables that are set and not empty."""
        given = {each.name: environment.get(each.name.upper(), "").strip() for each in fields(cls)}
        return cls(**{name: _parse(name, text) for name, text in given.items() if text})

    @property
    def rates(self) -> list[RateLimitItem]:
        """What `rate_limit` says."""
        if not self.rate_limit:
            return []
        try:
            rates = parse_many(self.rate_limit)
        except ValueError as error:
            raise _not_a_rate(self.rate_limit) from error
        if not all(rate.amount for rate in rates):
            raise _not_a_rate(self.rate_limit)
        return rates

    @property
    def max_upload_bytes(self) -> int:
        """The largest body of a request."""
        return self.max_upload_mb * 2**20

    @property
    def address(self) -> str:
        """`host:port`, with the brackets that an IPv6 host needs."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_RANGES: dict[str, tuple[int, int]] = {
    each.name: each.metadata["between"] for each in fields(Settings) if each.metadata["between"]
}


def table() -> list[str]:
    """The rows of the README's table."""
    defaults = {each: f"`{each.default}`" if each.default != "" else "none" for each in fields(Settings)}
    return [f"| `{each.name.upper()}` | {defaults[each]} | {each.metadata['sets']} |" for each in fields(Settings)]


def _parse(name: str, text: str) -> Any:
    if name == "artifacts":
        return _folder(text)
    if name not in _RANGES:
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _not_in_range(name, text)
    return int(text)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise SettingsError(
            f"ARTIFACTS must be the folder of a trained model, not {text!r}: "
            f"correct it, or unset it to use {Settings.artifacts}."
        )
    return Path(text)


def _not_in_range(name: str, value: object) -> SettingsError:
    low, high = _RANGES[name]
    default = getattr(Settings, name)
    return SettingsError(
        f"{name.upper()} must be a whole number from {low} to {high}, not {value!r}: "
        f"correct it, or unset it to use {default}."
    )


def _not_a_rate(text: str) -> SettingsError:
    return SettingsError(f"RATE_LIMIT must look like 60/minute, not {text!r}: correct it, or unset it for no limit.")


def _check_redis(url: str) -> None:
    from redis import ConnectionPool

    try:
        ConnectionPool.from_url(url)
    except ValueError as error:  # its message may hold the password
        raise SettingsError(
            "REDIS_URL must look like redis://host:6379/0: correct it, or unset it to do without."
        ) from error
