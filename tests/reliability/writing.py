"""Where the figures of this folder are written, and what has to be known to believe them."""

import os

from benchmarks.report import ROOT, conditions, cores, write_section

PAGE = ROOT / "docs" / "reliability.md"


def circumstances() -> str:
    """When, on what, of which commit, and whether the machine had other things to do."""
    load = os.getloadavg()[2]
    return f"{conditions()} In the quarter of an hour before, {load:.1f} processes wanted its {cores()} cores."


def write(section: str, text: str) -> None:
    """Into the page, in the place of what stood there."""
    write_section(section, text, PAGE)
