"""The options of a training in a file: TOML or JSON, one key an option, `batch_size` for `--batch-size`."""

import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.errors import SettingsError

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


def read_options(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    """What the file says of the options `kinds`, a key that it leaves out or holds null for being left out.

    A file whose name ends in .toml is TOML, any other JSON. Raises SettingsError, one line with the file and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise SettingsError(f"--config must be a file that can be read; {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"--config must be TOML (named *.toml) or JSON; {path}: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f'--config must hold one object, such as {{"epochs": 3}}; {path} holds something else')
    return {key: _checked(path, key, value, kinds) for key, value in values.items() if value is not None}


def _checked(path: Path, key: str, value: object, kinds: Mapping[str, type]) -> object:
    if key not in kinds:
        near = difflib.get_close_matches(key.replace("-", "_"), kinds, 1)
        raise SettingsError(
            f"{path}: there is no option {key!r}: " + (f"did you mean {near[0]!r}?" if near else "see --help")
        )
    kind = kinds[key]
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # exactly: true is no number
        raise SettingsError(f"{path}: {key!r} must be {_NAMES[kind]}, not {json.dumps(value, default=str)}")
    return value
