"""Figures into a page of Markdown, by code: each command owns a section between two marks."""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from model.processor import cpuinfo

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put `text` in the place of the section `name`, or at the end where there is none yet."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    whole = page.read_text() if page.exists() else ""
    if begin in whole:
        before, rest = whole.split(begin, 1)
        whole = before + section + rest.split(end, 1)[1]
    else:
        whole = f"{whole.rstrip()}\n\n{section}\n".lstrip()
    page.write_text(whole)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The first column to the left, the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def milliseconds(seconds: float) -> str:
    """Three digits are all that a clock on a shared machine is good for."""
    value = 1000 * seconds
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def conditions() -> str:
    """When, on what, and of which commit."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}, {cores()} cores of {_processor()}, "
        f"Python {platform.python_version()}."
    )


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _processor() -> str:
    return cpuinfo("model name") or platform.processor() or platform.machine()
