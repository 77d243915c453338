"""Laws of the settings: one table says them all, and what it says is so."""

from dataclasses import fields
from pathlib import Path

import pytest

from model.errors import SettingsError
from web.settings import Settings, table

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_table_in_the_readme_is_the_code() -> None:
    start = README.index("| variable | default | what it sets |")
    rows = README[start:].partition("\n\n")[0].splitlines()[2:]
    assert rows == table(), "copy what `web.settings.table()` gives into the README"


@pytest.mark.parametrize("name", [each.name for each in fields(Settings) if each.metadata["between"]])
def test_each_number_has_a_smallest_and_a_largest_value(name: str) -> None:
    low, high = next(each.metadata["between"] for each in fields(Settings) if each.name == name)
    for value in (low, high):
        assert getattr(Settings.from_environment({name.upper(): str(value)}), name) == value
    for value in (low - 1, high + 1, "many", "1e3", "٣"):
        with pytest.raises(SettingsError, match=f"{name.upper()} must be a whole number from {low} to {high}"):
            Settings.from_environment({name.upper(): str(value)})
