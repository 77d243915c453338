"""Ask a server all that its OpenAPI document allows, and much that it forbids: `make fuzz`."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from model.bundle import save_bundle
from tests.bundles import untrained
from tests.servers import GUNICORN, ROOT, Server, running

EXAMPLES = 1000  # for each address and method that takes something
CONFIG = Path(__file__).with_name("schemathesis.toml")


def fuzz(server: Server, folder: Path, examples: int, *options: str) -> int:
    """0 if schemathesis finds nothing with all of its checks; it prints what it finds, and keeps notes in `folder`."""
    command = (sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}", "--no-color", "run")
    document = f"http://127.0.0.1:{server.port}/openapi.json"
    return subprocess.run(
        (*command, f"--max-examples={examples}", *options, document),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    ).returncode


def main() -> None:
    """The exit code is 0 if nothing was found, and nothing went wrong unseen."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_bundle(folder / "artifact", untrained())
        with running(GUNICORN, folder / "artifact", folder / "log") as server:
            code = fuzz(server, folder, EXAMPLES)
        errors = [line for line in (folder / "log").read_text().splitlines() if '"level": "error"' in line]
    print(*errors, sep="\n")
    sys.exit(code or bool(errors))


if __name__ == "__main__":
    main()
