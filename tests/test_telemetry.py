"""A law of serving: it calls nobody."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_openvino_does_not_tell_its_makers_that_it_was_started(tmp_path: Path) -> None:
    """Where it may, it keeps an id of this machine at home, and sends it along."""
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "KERAS_BACKEND"}}
    load = "import model.runtime, keras, openvino; keras.ops.zeros(1); print(keras.config.backend())"
    command = (sys.executable, "-c", load)
    started = subprocess.run(
        command, cwd=ROOT, env=environment | {"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert started.stdout == "openvino\n"
    assert not list(tmp_path.rglob("*ga_cid*"))
