"""Podman in a folder of its own, and stand-ins for the images of a registry that cannot be reached."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .files import ROOT

PLACE = Path("/var/tmp/captioner-image-test")  # noqa: S108 - kept, so that the next run builds on it
PROGRAMS = ("podman", "podman-compose", "runc", "debootstrap")
PACKAGES = "podman podman-compose runc netavark aardvark-dns iptables debootstrap"
# Old control groups and modest rights, as inside a virtual machine, are enough for these.
ENGINE = """[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
"""
STORAGE = f"""[storage]
driver = "overlay"
graphroot = "{PLACE}/images"
runroot = "{PLACE}/running"
"""
WITH_REDIS = """FROM {base}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server
"""
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


def require_engine() -> None:
    """Skip the test where no container can run, and set the engine up where it can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root and: apt-get install {PACKAGES} (missing: {', '.join(missing) or 'root'})")
    PLACE.mkdir(exist_ok=True)
    (PLACE / "containers.conf").write_text(ENGINE)
    (PLACE / "storage.conf").write_text(STORAGE)


def podman(*arguments: str, program: str = "podman", given: str | None = None, **settings: str) -> str:
    """What it printed; fails the test with its complaint."""
    places = {
        "CONTAINERS_CONF": str(PLACE / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(PLACE / "storage.conf"),
    }
    done = subprocess.run(
        (program, *arguments),
        cwd=ROOT,
        input=given,
        env=os.environ | places | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{program} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def have_base(name: str) -> bool:
    """Whether the image `name` is the real one; else Debian's own Python 3.11 takes its place."""
    full = f"docker.io/library/{name}"
    if _has(full):
        return podman("image", "inspect", "--format", "{{.Comment}}", full) != "stand-in"
    if _pulled(full):
        return True
    root = PLACE / "debian"
    shutil.rmtree(root, ignore_errors=True)
    with_pip = "--include=ca-certificates,python3,python3-pip"
    podman("--variant=minbase", with_pip, "bookworm", str(root), program="debootstrap")
    (root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink()
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.copy(Path("/") / CERTIFICATES, root / CERTIFICATES)  # those that lead to a registry from here
    shutil.rmtree(root / "var/cache/apt")
    packed = shutil.make_archive(str(PLACE / "debian"), "tar", root)
    path = "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    podman("import", "--quiet", "--message", "stand-in", "--change", path, packed, full)
    Path(packed).unlink()
    shutil.rmtree(root)
    return False


def have_redis(name: str, base: str) -> None:
    """The image `name`, or Debian's Redis in its place."""
    full = f"docker.io/library/{name}"
    if not _has(full) and not _pulled(full):
        podman(
            *("build", "--quiet", "--pull=never", "--network=host", "--tag", full, "--file", "-"),
            given=WITH_REDIS.format(base=f"docker.io/library/{base}"),
        )


def _has(name: str) -> bool:
    return bool(podman("images", "--quiet", name))


def _pulled(name: str) -> bool:
    try:
        podman("pull", "--quiet", name)
    except AssertionError:
        return False
    return True
