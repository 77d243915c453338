"""Laws of the container that can be read off its files; `make image-test` builds it and runs it."""

import json
import re

import pytest

from web.settings import Settings

from .container.files import COMPOSE, ROOT, SERVICES, STEPS, copied, values


def test_the_base_is_one_patch_release_on_one_debian() -> None:
    (base,) = values("FROM")
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)


def test_it_does_not_run_as_root() -> None:
    """By number: Kubernetes cannot know of a name whether it is root."""
    (user,) = values("USER")
    assert int(user) > 0
    assert not any(name in {"RUN", "COPY"} for name, _ in STEPS[STEPS.index(("USER", user)) :])


def test_packages_come_from_the_lock() -> None:
    (run,) = values("RUN")
    assert run.count("pip install") == 1 and "--require-hashes -r requirements-serve.txt" in run


def test_only_what_serving_needs_is_let_in_and_all_of_it_is_there() -> None:
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied())
    assert all((ROOT / source).exists() for source in copied())


def test_what_is_let_in_needs_nothing_that_is_left_out() -> None:
    sources = [ROOT / source for source in copied()]
    inside = [path for source in sources for path in (source, *source.rglob("*.py")) if path.suffix == ".py"]
    left_out = {path.name for path in ROOT.iterdir() if path.is_dir()} - set(copied())
    imports = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
    assert not {(path.name, name) for path in inside for name in imports.findall(path.read_text())} & {
        (path.name, name) for path in inside for name in left_out
    }


def test_it_starts_as_make_run_does() -> None:
    (command,) = values("CMD")
    recipe = re.search(r"^\t\$\(BIN\)/(gunicorn .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe and " ".join(json.loads(command)) == recipe[1].replace('"', "")


def test_it_says_whether_it_is_well() -> None:
    (check,) = values("HEALTHCHECK")
    assert "/health" in check


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_write_no_disk_gain_no_right_and_take_no_more_than_its_share(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True and "volumes" not in service and "privileged" not in service
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["pids_limit"]


def test_the_cache_is_reached_by_the_captioner_alone() -> None:
    (network,) = SERVICES["cache"]["networks"]
    assert COMPOSE["networks"][network] == {"internal": True} and "ports" not in SERVICES["cache"]
    assert SERVICES["captioner"]["environment"]["REDIS_URL"] == "redis://cache:6379/0"


def test_the_cache_keeps_nothing_on_disk() -> None:
    assert '--save "" --appendonly no' in SERVICES["cache"]["command"]


def test_the_captioner_is_reached_through_this_machine_alone() -> None:
    """Whoever wants it in the open puts a proxy before it."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["captioner"]["ports"])


def test_it_is_given_the_time_to_answer_what_it_has() -> None:
    """gunicorn.conf.py ends a worker ten seconds after the longest request."""
    assert int(SERVICES["captioner"]["stop_grace_period"].rstrip("s")) > Settings().deadline_seconds + 10
