"""Laws of the container as a real engine builds and runs it: `make image-test`, five minutes, one the next time.

It needs root, Debian's podman and the package registries. Where Docker Hub cannot be reached, the base is Debian 12
with its own Python 3.11 and pip, and Redis is Debian's: then the Dockerfile is proved, and the official base is not.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from training.results import replace_between_markers

from ..servers import FORM, form_of, free_port
from .engine import have_base, have_redis, podman, require_engine
from .files import ROOT, SERVICES, copied, values

PHOTO = "static/samples/rocket.jpg"
BASE, REDIS = values("FROM")[0], SERVICES["cache"]["image"]
PROJECT = "captioner-test"
PHOTOS_A_MINUTE = 200
CAPTIONER, CACHE = f"{PROJECT}_captioner_1", f"{PROJECT}_cache_1"
# What compose.yaml takes away, and the network, and the writable folders that podman lays over a read-only root.
LOCKED_UP = (
    *("--network=none", "--read-only", "--read-only-tmpfs=false"),
    *("--cap-drop=ALL", "--security-opt=no-new-privileges"),
)


@pytest.fixture(scope="module")
def real_base() -> bool:
    """Whether Docker Hub could be reached."""
    require_engine()
    return have_base(BASE)


@pytest.fixture(scope="module")
def image(real_base: bool) -> str:
    """Built from the Dockerfile as it stands; pip reaches the registry as it does from here."""
    podman("build", "--format=docker", "--pull=never", "--network=host", "--tag=captioner", str(ROOT))
    return "captioner"


@pytest.fixture(scope="module")
def port(image: str) -> Iterator[int]:
    """Where compose.yaml answers on this machine."""
    have_redis(REDIS, BASE)
    port = free_port()
    _compose(
        "up", "--detach", "--no-build", PORT=str(port), TRUSTED_PROXIES="1", RATE_LIMIT=f"{PHOTOS_A_MINUTE}/minute"
    )
    try:
        deadline = time.monotonic() + 60
        while _ask(port, "GET", "/health/ready")[0] != 200:
            assert time.monotonic() < deadline, f"podman logs {CAPTIONER}"
            time.sleep(0.2)
        yield port
    finally:
        _compose("down", "--timeout", "0")


def _compose(*arguments: str, **settings: str) -> str:
    return podman("--project-name", PROJECT, *arguments, program="podman-compose", **settings)


def _ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": FORM, **headers} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text
    except OSError:
        return 0, None
    finally:
        connection.close()


def _caption(port: int) -> dict[str, Any]:
    status, answer = _ask(port, "POST", "/predict", form_of((ROOT / PHOTO).read_bytes()))
    assert status == 200, answer
    return dict(answer)


@pytest.fixture
def proxy(port: int, tmp_path: Path) -> Iterator[int]:
    """Where nginx answers, with our configuration of it."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("needs nginx: apt-get install nginx-light")
    outside = free_port()
    site = (ROOT / "deploy" / "nginx.conf").read_text()
    site = site.replace("listen 80;", f"listen 127.0.0.1:{outside};").replace("127.0.0.1:5000", f"127.0.0.1:{port}")
    (tmp_path / "site.conf").write_text(site)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/log; daemon off; user root; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/bodies; include {tmp_path}/site.conf; }}\n"
    )
    process = subprocess.Popen([program, "-c", str(tmp_path / "nginx.conf")])
    try:
        deadline = time.monotonic() + 10
        while _ask(outside, "GET", "/health/ready")[0] != 200:
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield outside
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def expected() -> str:
    """What the same weights say on this machine outside of any container."""
    return podman("-m", "model", PHOTO, program=sys.executable)


@pytest.mark.parametrize("user", ["its own", "1000:1000"])
def test_a_photo_is_captioned_without_rights_network_or_a_disk_to_write(image: str, expected: str, user: str) -> None:
    who = () if user == "its own" else ("--user", user)
    assert podman("run", "--rm", *LOCKED_UP, *who, image, "python", "-m", "model", PHOTO) == expected


def test_the_image_holds_what_serving_needs_and_no_more(image: str) -> None:
    found = podman("run", "--rm", *LOCKED_UP, image, "find", ".", "-mindepth", "1", "-maxdepth", "1", "-printf", "%P ")
    assert sorted(found.split()) == sorted(copied())


def test_its_user_may_write_no_file_of_the_image(image: str) -> None:
    """Even where nobody asked for a root that is read-only."""
    search = "find /srv /usr /etc /opt -xdev -writable -not -type l 2>&1 | grep -v 'Permission denied' || true"
    assert podman("run", "--rm", image, "sh", "-c", search) == ""


def test_together_with_redis_it_captions_once_and_remembers(port: int, expected: str) -> None:
    """Not at once: on a busy machine Redis may be late, and is then left alone for two seconds."""
    deadline = time.monotonic() + 60
    while not (answer := _caption(port))["cached"]:
        assert answer["caption"] == expected and time.monotonic() < deadline
        time.sleep(0.5)
    assert answer["caption"] == expected
    assert int(podman("exec", CACHE, "redis-cli", "dbsize")) > 0


@pytest.mark.parametrize("name", [CAPTIONER, CACHE])
def test_no_service_has_a_right_or_can_gain_one(port: int, name: str) -> None:
    lines = podman("exec", name, "cat", "/proc/1/status").splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    assert "0" not in status["Uid"] and status["NoNewPrivs"] == ["1"]
    assert {int(status[f"Cap{kind}"][0], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}


@pytest.mark.parametrize("name", [CAPTIONER, CACHE])
def test_no_service_can_take_the_memory_of_the_machine(port: int, name: str) -> None:
    assert 0 < int(podman("inspect", name, "--format", "{{.HostConfig.Memory}}")) <= 2**31


def test_it_finds_itself_well(port: int) -> None:
    podman("healthcheck", "run", CAPTIONER)


def test_the_cache_has_no_way_out(port: int) -> None:
    """No route leads out of the network that it shares with the captioner."""
    routes = podman("exec", CACHE, "cat", "/proc/net/route").splitlines()[1:]
    assert not [route for route in routes if route.split()[1] == "00000000"]


def test_nginx_passes_on_photos_up_to_a_size_and_no_figures(proxy: int, expected: str) -> None:
    assert _caption(proxy)["caption"] == expected
    status, answer = _ask(proxy, "POST", "/predict", form_of(bytes(10_800_000)))
    assert (status, answer["code"]) == (413, "too_large")  # the captioner's own answer
    assert _ask(proxy, "POST", "/predict", form_of(bytes(12_000_000)))[0] == 413
    assert _ask(proxy, "GET", "/metrics")[0] == 404


def test_behind_nginx_a_client_cannot_choose_its_address(proxy: int) -> None:
    photo = form_of((ROOT / PHOTO).read_bytes())
    made_up = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in range(PHOTOS_A_MINUTE + 1))
    assert 429 in {_ask(proxy, "POST", "/predict", photo, **headers)[0] for headers in made_up}


def test_it_does_without_redis_and_ends_as_it_should(port: int, expected: str) -> None:
    podman("stop", "--time", "0", CACHE)
    assert _caption(port)["caption"] == expected
    podman("stop", "--time", SERVICES["captioner"]["stop_grace_period"].rstrip("s"), CAPTIONER)
    assert podman("inspect", CAPTIONER, "--format", "{{.State.ExitCode}}") == "0"


def test_its_size_is_written_down(image: str, real_base: bool) -> None:
    whole, base = (int(podman("image", "inspect", "--format", "{{.Size}}", name)) for name in (image, BASE))
    weights = sum(path.stat().st_size for path in (ROOT / "artifacts").iterdir())
    kind = f"on `{BASE}`" if real_base else f"on Debian 12 with its own Python, in place of `{BASE}`"
    replace_between_markers(
        ROOT / "docs" / "deploy.md",
        "size",
        f"Built {kind}: {whole / 1e6:.0f} MB unpacked, of which the base {base / 1e6:.0f} MB, the packages "
        f"{(whole - base - weights) / 1e6:.0f} MB and the model {weights / 1e6:.0f} MB.",
    )
    assert whole - base < 700e6
