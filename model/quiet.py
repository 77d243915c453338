"""Imports TensorFlow without its chatter."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_import() -> Iterator[None]:
    """TensorFlow's native code writes to stderr as it is imported, whatever its log level: drop that.

    Errors are exceptions and come through. Everything the process writes meanwhile is dropped: use it at start.
    """
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
