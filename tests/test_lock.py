"""Laws of the lock: what requirements/ asks for, and all that it needs, is pinned by version and hash."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = {
    "serve": ROOT / "requirements-serve.txt",
    "train": ROOT / "requirements.txt",
    "dev": ROOT / "requirements-dev.txt",
}
# Below these, what a stranger sends can do harm: model files to Keras, photos to Pillow, requests to gunicorn.
AT_LEAST = {"keras": (3, 15, 1), "pillow": (13, 0, 0), "gunicorn": (26, 1)}


def _asked(name: str) -> dict[str, str]:
    """What one file of requirements/ asks for by itself: package to version."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    asked = [
        re.match(r"([a-z0-9-]+)(?:\[.+?\])?==([^ ;]+)", line) for line in lines if not line.startswith(("#", "-r "))
    ]
    assert all(asked), f"requirements/{name}.in asks for something without an exact version"
    return {each[1]: each[2] for each in asked if each}


def _locked(name: str) -> dict[tuple[str, str], set[str]]:
    """Package and version to the hashes of its files."""
    locked = {}
    for entry in re.split(r"\n(?=[a-z])", LOCKS[name].read_text())[1:]:
        head = re.match(r"([a-z0-9-]+)==([^ ]+) ", entry)
        assert head is not None, f"{LOCKS[name].name}: no version in {entry!r}"
        locked[head[1], head[2]] = set(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry))
    return locked


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_is_locked(name: str) -> None:
    assert _asked(name).items() <= _locked(name).keys(), "run `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_hash(name: str) -> None:
    assert all(_locked(name).values())


@pytest.mark.parametrize(("smaller", "larger"), [("serve", "train"), ("train", "dev")])
def test_a_smaller_set_is_part_of_the_larger(smaller: str, larger: str) -> None:
    assert _locked(smaller).items() <= _locked(larger).items(), "run `make lock`"


@pytest.mark.parametrize("package", AT_LEAST)
def test_no_version_with_a_known_hole_comes_back(package: str) -> None:
    version = next(version for name, version in _locked("serve") if name == package)
    assert tuple(map(int, version.split("."))) >= AT_LEAST[package]


def test_the_readme_says_of_every_package_why_it_is_here() -> None:
    table = (ROOT / "README.md").read_text().partition("| package | why it is here |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"[a-z0-9-]+", row.partition(" | ")[0])}
    assert {package for name in LOCKS for package in _asked(name)} <= named
