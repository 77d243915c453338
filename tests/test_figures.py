"""Laws of the folder for metrics: each server has its own, and those of killed ones do not pile up."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .servers import ROOT

HOLDS_A_FOLDER = """
import os, sys, time
from pathlib import Path
from web.figures import VARIABLE, make_folder
make_folder(Path(sys.argv[1]))
print(os.environ[VARIABLE], flush=True)
time.sleep(600)
"""


@contextmanager
def server_with_folder(where: Path, **environment: str) -> Iterator[Path]:
    """What a server does at its start; killed in the end."""
    command = [sys.executable, "-c", HOLDS_A_FOLDER, str(where)]
    clean = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    with subprocess.Popen(command, cwd=ROOT, env=clean | environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()


def grow_old(folder: Path) -> None:
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))


def test_folders_of_killed_servers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    with server_with_folder(tmp_path) as living:
        with server_with_folder(tmp_path) as killed:
            (killed / "counter_1.db").write_bytes(bytes(10))
        (tmp_path / "captioner-figures-but-a-file").touch()
        stranger = tmp_path / "another-folder"
        stranger.mkdir()
        for each in (living, killed, stranger):
            grow_old(each)
        with server_with_folder(tmp_path) as new:
            assert living.is_dir() and new.is_dir() and stranger.is_dir()
            assert not killed.exists()


def test_a_folder_that_was_just_made_is_left_alone(tmp_path: Path) -> None:
    with server_with_folder(tmp_path) as young:
        pass
    with server_with_folder(tmp_path):
        assert young.is_dir()


def test_a_folder_that_the_user_named_is_used(tmp_path: Path) -> None:
    with server_with_folder(tmp_path, PROMETHEUS_MULTIPROC_DIR="mine") as folder:
        assert folder == Path("mine") and not list(tmp_path.iterdir())
