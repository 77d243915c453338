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


def fuzz(server: Server, folder: Path, examples: int, *options: str) -> subprocess.CompletedProcess[str]:
    """What schemathesis found, with all of its checks; its notes go to `folder`."""
    return subprocess.run(
        (*SCHEMATHESIS, f"--max-examples={examples}", *options, f"http://127.0.0.1:{server.port}/openapi.json"),
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz_hooks", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def main() -> None:
    """Print what was found; the exit code is 0 if that is nothing."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_bundle(folder / "artifact", untrained())
        with running(GUNICORN, folder / "artifact", folder / "log") as server:
            found = fuzz(server, folder, EXAMPLES)
        print(found.stdout)
        if "Traceback" in (folder / "log").read_text():
            sys.exit("The server's log holds a traceback.")
    sys.exit(found.returncode)


if __name__ == "__main__":
    main()
