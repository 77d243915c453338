"""Laws of the threat model: every defence that it names has a test, which is there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "threat-model.md").read_text()
ROWS = [line for line in PAGE.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_every_defence_has_a_test(row: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
    assert named
    for file, test in named:
        assert f"\ndef {test}(" in (TESTS / file).read_text(), f"docs/threat-model.md: no {test} in tests/{file}"
