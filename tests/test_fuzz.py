"""The server keeps to its OpenAPI document: schemathesis asks it for a few seconds what this allows and forbids."""

from pathlib import Path

import pytest

from model.bundle import save_bundle
from tests.bundles import untrained
from tests.fuzz import fuzz
from tests.servers import GUNICORN, running


def test_schemathesis_finds_no_answer_that_the_document_does_not_tell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_bundle(tmp_path / "artifact", untrained())
    with running(GUNICORN, tmp_path / "artifact", tmp_path / "log") as server:
        code = fuzz(server, tmp_path, 25, "--generation-deterministic")
    said = capfd.readouterr().out
    assert code == 0 and "No issues found" in said, said
    assert '"level": "error"' not in (tmp_path / "log").read_text()
