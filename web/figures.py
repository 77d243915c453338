"""The folder in which the workers of one server add up their figures for `web/metrics.py`.

It lies in memory where there is some (a disk may be read-only), and goes when the server stops. One that was killed
leaves its folder behind; the next server to start removes it.
"""

import fcntl
import os
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from time import time

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own name for it
_OURS = "captioner-figures-"
_YOUNG_SECONDS = 60  # a folder may not be locked yet, just after it was made


def make_folder(where: Path) -> None:
    """Name a new folder in the environment, unless the user has named one.

    It is locked for as long as a process of this server lives, even one whose master was killed.
    """
    if VARIABLE in os.environ:
        return
    _remove_abandoned(where)
    os.environ[VARIABLE] = mkdtemp(prefix=_OURS, dir=where)
    _lock(Path(os.environ[VARIABLE]))  # never closed, and passed on to every worker


def remove_folder() -> None:
    """When the server stops; a folder of the user's own stays."""
    if Path(os.environ[VARIABLE]).name.startswith(_OURS):
        rmtree(os.environ[VARIABLE], ignore_errors=True)


def _remove_abandoned(where: Path) -> None:
    for folder in where.glob(f"{_OURS}*"):
        try:
            if time() - folder.stat().st_mtime > _YOUNG_SECONDS:
                descriptor = _lock(folder)
                rmtree(folder, ignore_errors=True)
                os.close(descriptor)
        except OSError:  # in use, another user's, or gone meanwhile
            continue


def _lock(folder: Path) -> int:
    """A descriptor that holds the folder. Raises BlockingIOError, an OSError, where another holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
