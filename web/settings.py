"""Settings of the server: each one is an environment variable of the same name in capitals."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model.errors import SettingsError

RANGES = {"port": (1, 65535), "workers": (1, 64), "max_upload_mb": (1, 100)}


@dataclass(frozen=True)
class Settings:
    """Where to listen, what to serve, how much to take.

    Raises SettingsError for a value outside its range.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    artifacts: Path = Path("artifacts")
    max_upload_mb: int = 10

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise _not_in_range(name, value)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """The defaults, overridden by the variables that are set and not empty."""
        given = {field.name: environment.get(field.name.upper(), "").strip() for field in fields(cls)}
        return cls(**{name: _parse(name, text) for name, text in given.items() if text})

    @property
    def max_upload_bytes(self) -> int:
        """The largest body of a request."""
        return self.max_upload_mb * 2**20

    @property
    def address(self) -> str:
        """`host:port`, with the brackets that an IPv6 host needs."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _parse(name: str, text: str) -> Any:
    if name == "artifacts":
        return Path(text)
    if name not in RANGES:
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _not_in_range(name, text)
    return int(text)


def _not_in_range(name: str, value: object) -> SettingsError:
    low, high = RANGES[name]
    default = getattr(Settings, name)
    return SettingsError(
        f"{name.upper()} must be a whole number from {low} to {high}, not {value!r}: "
        f"correct it, or unset it to use {default}."
    )
