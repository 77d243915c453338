"""Laws of the settings: one table says them all, what it says is so, a bad value is named before anything starts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest

from model.bundle import save_bundle
from model.errors import SettingsError
from tests.bundles import untrained
from tests.servers import GUNICORN, free_port, the_one_line
from web.settings import Settings, table

ROOT = Path(__file__).parent.parent
NAMES = [each.name.upper() for each in fields(Settings)]
NUMBERS = [each.name for each in fields(Settings) if each.metadata["between"]]
BAD = {
    "HOST": "nowhere.invalid",
    "PORT": "http",
    "WORKERS": "-1",
    "ARTIFACTS": "nowhere",
    "MAX_UPLOAD_MB": "1.5",
    "DEADLINE_SECONDS": "soon",
    "MAX_WAITING": "1e3",
    "RATE_LIMIT": "often",
    "TRUSTED_PROXIES": "10.0.0.1",
    "CACHE_MB": "99999",
    "REDIS_URL": "http://localhost",
}


def test_the_table_in_the_readme_is_the_code() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = readme[readme.index("| variable | default | what it sets |") :].partition("\n\n")[0].splitlines()[2:]
    assert rows == table(), "copy what `web.settings.table()` gives into the README"


def test_the_table_has_every_setting_with_its_default_and_a_meaning() -> None:
    for row, each in zip(table(), fields(Settings), strict=True):
        name, default, meaning = row.strip("| ").split(" | ")
        assert name == f"`{each.name.upper()}`" and len(meaning) > 10
        assert default == ("none" if each.default == "" else f"`{each.default}`")


@pytest.mark.parametrize("name", NUMBERS)
def test_each_number_has_a_smallest_and_a_largest_value(name: str) -> None:
    low, high = next(each.metadata["between"] for each in fields(Settings) if each.name == name)
    for value in (low, high):
        assert getattr(Settings.from_environment({name.upper(): str(value)}), name) == value
    for value in (low - 1, high + 1, "many", "1e3", "1_0", "٣"):
        with pytest.raises(SettingsError, match=f"{name.upper()} must be a whole number from {low} to {high}"):
            Settings.from_environment({name.upper(): str(value)})


@pytest.mark.parametrize(
    ("rate", "amounts"),
    [("60/minute", [60]), ("10 per 2 hours", [10]), ("5/second;100/day", [5, 100]), ("", [])],
)
def test_a_rate_is_read_as_it_is_written(rate: str, amounts: list[int]) -> None:
    assert [each.amount for each in Settings.from_environment({"RATE_LIMIT": rate}).rates] == amounts


@pytest.mark.parametrize("rate", ["60", "minute", "0/minute", "5/fortnight", "-1/minute", "60/minute please"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(SettingsError, match="RATE_LIMIT must look like 60/minute"):
        Settings.from_environment({"RATE_LIMIT": rate})


@pytest.mark.parametrize("url", ["localhost", "http://localhost", "redis://localhost:port/0", "redis://host/0?db=one"])
def test_an_impossible_redis_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL must look like") as caught:
        Settings.from_environment({"REDIS_URL": url})
    assert url not in str(caught.value)


def test_a_bad_value_of_any_setting_ends_the_start_with_one_line_that_names_it(tmp_path: Path) -> None:
    assert list(BAD) == NAMES
    save_bundle(tmp_path / "artifact", untrained())

    def reason(name: str) -> str:
        return the_one_line(GUNICORN, tmp_path / "artifact", free_port(), **{name: BAD[name]})

    with ThreadPoolExecutor(4) as pool:
        for name, line in zip(NAMES, pool.map(reason, NAMES), strict=True):
            assert name in line
