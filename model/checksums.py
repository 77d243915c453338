"""The files that captioning needs, and the check that they are the ones that were saved. Needs no Keras."""

import hashlib
from pathlib import Path

from model.errors import ArtifactError

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
ENCODER, ENCODER_WEIGHTS = "encoder.json", "encoder.npz"
DECODER_WEIGHTS = "decoder.npz"
FILES = (CONFIG, TOKENIZER, ENCODER, ENCODER_WEIGHTS, DECODER_WEIGHTS)
CHECKSUMS = "SHA256SUMS"
REMEDY = "restore it with `git checkout artifacts`, or train one with `python training/train.py --dataset DIR`"


def write_checksums(folder: Path) -> None:
    """Write `SHA256SUMS` as `sha256sum --check` reads it."""
    (folder / CHECKSUMS).write_text("".join(f"{_digest(folder / name)}  {name}\n" for name in FILES))


def verify(folder: str | Path) -> None:
    """Raise ArtifactError, one line that names the file and the remedy, unless every file is as it was saved."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ArtifactError(f"an artifact is a folder; {folder} does not exist: {REMEDY}")
    expected = _read(folder / CHECKSUMS)
    for name in FILES:
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"an artifact needs {name}; {path} is missing: {REMEDY}")
        if name not in expected:
            raise ArtifactError(f"{folder / CHECKSUMS} must name {name}, and does not: {REMEDY}")
        if _digest(path) != expected[name]:
            raise ArtifactError(f"{path} is not the file that was saved (its SHA-256 differs): {REMEDY}")


def fingerprint(folder: str | Path) -> str:
    """A short word that changes with any file of the artifact; the same for every folder that is none."""
    path = Path(folder) / CHECKSUMS
    return hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()[:16]


def _read(path: Path) -> dict[str, str]:
    try:
        lines = [line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip()]
        return {name: digest for digest, name in lines}
    except (OSError, ValueError) as exc:  # UnicodeDecodeError is a ValueError
        raise ArtifactError(f"an artifact needs a readable {CHECKSUMS}; {path} is none: {REMEDY}") from exc


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
