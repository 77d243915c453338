"""Ask a server all that its OpenAPI document allows, and much that it forbids: `make fuzz`."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from model.bundle import save_bundle
from tests.bundles import untrained
from tests.servers import GUNICORN, ROOT, Server, running

EXAMPLES = 2000  # for each address and method that takes something
SCHEMATHESIS = (
    sys.executable,
    "-m",
    "schemathesis.cli",
    "run",
    "--no-color",
    "--continue-on-failure",
    "--request-timeout=60",
)


def fuzz(server: Server, folder: Path, examples: int, *options: str) -> int:
    """0 if schemathesis finds nothing with all of its checks; it prints what it finds, and keeps notes in `folder`."""
    return subprocess.run(
        (*SCHEMATHESIS, f"--max-examples={examples}", *options, f"http://127.0.0.1:{server.port}/openapi.json"),
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz_hooks", "PYTHONPATH": str(ROOT)},
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
