"""What a stage leaves in `--work`: STAGE.npz, from which a run goes on as if it had never been stopped.

While the stage runs, the file is replaced between two epochs and holds whatever the next one depends on: the weights,
the variables of the optimizer (moments, average, step), the best weights so far and the log. It takes five times the
weights in single precision. Once the stage is over, the best weights and the log are left. No state of a random
generator is among it: order, captions, dropout and samples are drawn from the seed and the number of the epoch.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from model.checksums import fingerprint
from model.errors import RunError
from training.datasets import Photo
from training.options import TrainingOptions

Arrays = Sequence[np.ndarray]
Row = dict[str, float]

# The stages in their order, and the option that asks for each.
STAGES = {"frozen": "epochs", "tuned": "fine_tune", "reinforced": "reinforce"}

# What of the options may differ: where things lie (what lies there may not), and what changes no weight.
_FREE = {"dataset", "work", "output", "init", "encoder_weights", "name", "tensorboard", "engine", "data_parallel"}
_DATA, _START = "photos and captions", "encoder and artifact"


@dataclass(frozen=True)
class Head:
    """The log of a stage, a row an epoch; `identity` is the run's, `seconds` what it had taken by then."""

    identity: Mapping[str, Any]
    finished: bool = False
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """A stage as it stands between two epochs; once it is over, `weights` and `optimizer` are empty."""

    head: Head
    best: Arrays
    weights: Arrays
    optimizer: Arrays


_GROUPS = ("best", "weights", "optimizer")


def path_of(work: Path, stage: str) -> Path:
    """Where the checkpoint of a stage lies."""
    return work / f"{stage}.npz"


def stages_of(options: TrainingOptions) -> list[str]:
    """The stages that the options ask for."""
    return [stage for stage, option in STAGES.items() if getattr(options, option)]


def identity(options: TrainingOptions, photos: Sequence[Photo] = (), start: str = "") -> dict[str, Any]:
    """What must be the same for a run to be gone on with: options, photos and captions, and what it started from."""
    told = {name: value for name, value in options.to_dict().items() if name not in _FREE}
    if photos:
        text = "\n".join("\t".join([photo.name, *photo.captions]) for photo in photos)
        told[_DATA] = hashlib.sha256(text.encode()).hexdigest()
        told[_START] = f"{start} {fingerprint(options.init) if options.init else ''}"
    return told


def look(options: TrainingOptions) -> float:
    """Say what the work folder holds and what becomes of it; returns the seconds that the run has taken so far.

    Raises RunError where `--resume` meets other options than the run began with.
    """
    heads = _heads(options)
    finished = [head.finished for _, head in heads] == [True] * len(stages_of(options))
    if not options.resume:
        if heads and not finished:
            print(
                f"{options.work} holds a run that stopped {_place(*heads[-1])}: this one replaces it once its first "
                "epoch is done (to go on with the other instead, stop this one now and add --resume)",
                flush=True,
            )
        return 0.0
    if not heads:
        print(f"--resume: {options.work} holds no finished epoch, so training starts from the beginning", flush=True)
        return 0.0
    for _, head in heads:
        refuse_another(head, identity(options))
    print(f"going on {_place(*heads[-1])}, from {options.work}", flush=True)
    return heads[-1][1].seconds


def refuse_another(head: Head, now: Mapping[str, Any]) -> None:
    """Raise RunError, naming what differs, unless the checkpoint is of the run that `now` describes."""
    for name, value in now.items():
        before = head.identity.get(name)
        if before != value:
            what = (
                f"the {name} are not those that the run began with: put them back"
                if name in (_DATA, _START)
                else f"the run began with --{name.replace('_', '-')} {before}, not {value}: give that"
            )
            raise RunError(f"--resume: {what}, or leave out --resume to start afresh")


def _heads(options: TrainingOptions) -> list[tuple[str, Head]]:
    """As far as the run came: its finished stages, then the one that it was interrupted in."""
    heads: list[tuple[str, Head]] = []
    for stage in stages_of(options):
        path = path_of(options.work, stage)
        if not path.exists() or (heads and not heads[-1][1].finished):
            break
        try:
            heads.append((stage, read_head(path)))
        except RunError:
            if options.resume:
                raise
            break
    return heads


def _place(stage: str, head: Head) -> str:
    return f"after {'the last epoch' if head.finished else f'epoch {len(head.rows)}'} of the stage {stage!r}"


def write(path: Path, head: Head, **groups: Iterable[np.ndarray]) -> None:
    """Replace the checkpoint at `path` as a whole; the groups are the arrays of `Checkpoint`. Raises RunError."""
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        _add(archive, "head", np.array(json.dumps(asdict(head))))
        for group, arrays in groups.items():
            for number, array in enumerate(arrays):
                _add(archive, f"{group}/{number:04}", array)


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """As `numpy.savez` does it, which would want all arrays in memory at once."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, then renamed: a kill at any moment leaves the old `path` or the new one. Raises RunError."""
    aside = path.with_name(f"{path.name}.new")  # one name for all: a killed writer leaves one file behind at most
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        raise RunError(
            f"{path} could not be written ({error.strerror or error}): what lay there before is safe; make room, then "
            "go on with --resume"
        ) from error
    finally:
        with suppress(OSError):  # renamed, as a rule
            aside.unlink()


def read_head(path: Path) -> Head:
    """The head of what `write` wrote. Raises RunError if the file is damaged."""
    return _read(path, ()).head


def read(path: Path) -> Checkpoint:
    """What `write` wrote. Raises RunError if the file is damaged."""
    return _read(path, _GROUPS)


def _read(path: Path, groups: Sequence[str]) -> Checkpoint:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            head, names = Head(**json.loads(str(arrays["head"]))), sorted(arrays.files)
            parts = {group: [arrays[name] for name in names if name.startswith(f"{group}/")] for group in groups}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path} must be a whole checkpoint ({error}): delete it, and --resume goes on from the stage before"
        ) from error
    return Checkpoint(head, **{**dict.fromkeys(_GROUPS, ()), **parts})
