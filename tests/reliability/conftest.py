"""One server of two workers for all that is only asked, and the notes from which docs/reliability.md is written.

Every test tells what it saw. `make reliability` (pytest with `--write-reliability`) puts that into the page; any other
run throws it away.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from benchmarks.report import milliseconds
from model.bundle import save_bundle
from tests.bundles import untrained
from tests.servers import GUNICORN, Server, running

from .writing import PAGE, circumstances, write


class Note(NamedTuple):
    """A line of the page."""

    section: str
    what: str
    answer: str
    lost: str
    seconds: float | None


class Told(Protocol):
    """Notes what came of an input or a fault, and how long it took."""

    def __call__(self, what: str, answer: str, seconds: float | None = None, lost: str = "nothing") -> None: ...


NOTES = pytest.StashKey[list[Note]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-reliability", action="store_true", help="write docs/reliability.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOTES] = []


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Told:
    """The section is the first line of the test module's docstring."""
    section = str(request.module.__doc__).partition("\n")[0].rstrip(".")

    def note(what: str, answer: str, seconds: float | None = None, lost: str = "nothing") -> None:
        request.config.stash[NOTES].append(Note(section, what, answer, lost, seconds))

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: pytest.ExitCode, config: pytest.Config
) -> None:
    if not config.getoption("--write-reliability", False):
        return
    if exitstatus != 0 or terminalreporter.stats.get("skipped"):
        terminalreporter.write_line(f"{PAGE.name} stays as it was: it tells of a run without failures and skips.")
        return
    write("tests", page(config.stash[NOTES]))
    terminalreporter.write_line(f"{PAGE} is written.")


def page(notes: list[Note]) -> str:
    """A table for each section."""
    sections = dict.fromkeys(note.section for note in notes)
    lines = [f"Written by `make reliability`: {circumstances()}"]
    for section in sections:
        lines += ["", f"## {section}", "", "| input or fault | answer | lost | time |", "| --- | --- | --- | ---: |"]
        for note in notes:
            if note.section == section:
                time = "" if note.seconds is None else milliseconds(note.seconds)
                lines.append(f"| {note.what} | {note.answer} | {note.lost} | {time} |")
    return "\n".join(lines)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole captioner that was never trained."""
    folder = tmp_path_factory.mktemp("reliability") / "artifact"
    save_bundle(folder, untrained())
    return folder


@pytest.fixture(scope="session")
def server(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, for tests that leave it as they found it."""
    log = tmp_path_factory.mktemp("server") / "log"
    with running(GUNICORN, artifact, log, WORKERS="2", MAX_UPLOAD_MB="1") as server:
        yield server
    assert not re.search("Traceback|site-packages|PIL", log.read_text())
