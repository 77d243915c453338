"""What commands have in common that learn one part of an artifact again, from a dataset."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from model.errors import CaptionerError


def learn_again(about: str | None, learn: Callable[[Path, Path], None], arguments: Sequence[str] | None) -> int:
    """`learn(artifacts, dataset)` as a command. 2: it could not run, one line says why."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="default: artifacts")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of photos and captions")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        learn(options.artifacts, options.dataset)
    except CaptionerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
