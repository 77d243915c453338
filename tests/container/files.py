"""What Dockerfile and compose.yaml say."""

from pathlib import Path
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parent.parent.parent
STEPS: list[tuple[str, str]] = [
    (step["instruction"], step["value"])
    for step in DockerfileParser(str(ROOT / "Dockerfile")).structure
    if step["instruction"] != "COMMENT"
]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def values(instruction: str) -> list[str]:
    """What follows each instruction of that name."""
    return [value for name, value in STEPS if name == instruction]


def copied() -> list[str]:
    """Files and folders of the repository that the image holds."""
    return [source for value in values("COPY") for source in value.split()[:-1]]
