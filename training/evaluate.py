"""Caption the photos of a split through the class that the app serves, and score the captions.

    python training/evaluate.py --artifacts artifacts --dataset DIR --split test

writes `predictions-test.json`, the split's entry in `metrics.json` and the model card into the artifact, and
prints the scores beside published ones: BLEU-1 to 4, METEOR, ROUGE-L and CIDEr as pycocoevalcap has them, and below
the table ROUGE-1 and ROUGE-2 (F1 against the best of the references, by rouge-score on the same tokens).
`--report report.html` writes a page to look at as well. With `--check` nothing is recorded, and it says whether the
recorded scores come out. Choose between models on `dev`; `test` is for a release.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.errors import ArtifactError, CaptionerError, DatasetError
from model.quiet import quiet_import
from training.results import METRICS, ROUGE_N, TOLERANCE, differences, read_config, read_metrics, record

if TYPE_CHECKING:
    from model.captioner import CaptionGenerator
    from training.datasets import Dataset, Photo
    from training.people import People

SPLITS = ("train", "dev", "test")


class Scored(Protocol):
    """A caption and how sure of it the model is, as `model.captioner.Caption` has them."""

    @property
    def text(self) -> str:
        """One sentence, no marker words."""

    @property
    def log_probability(self) -> float:
        """Natural logarithm, summed over the words."""

    @property
    def confidence(self) -> float | None:
        """The share of people's captions that it probably surpasses; None where none was fitted."""


Predict = Callable[[list[Path]], Sequence[Scored]]


@dataclass(frozen=True)
class Outcome:
    """What one split gave: its entry for `metrics.json`, its predictions by photo name, and what people reach."""

    entry: dict[str, Any]
    predictions: dict[str, dict[str, Any]]
    people: "People | None" = None

    @property
    def scores(self) -> dict[str, float]:
        """The entry's scores alone."""
        return scores_of(self.entry)


def scores_of(entry: Mapping[str, Any]) -> dict[str, float]:
    """The scores of an entry of `metrics.json`, without what describes them."""
    return {name: entry[name] for name in (*METRICS, *ROUGE_N) if name in entry}


def caption_photos(predict: Predict, photos: Sequence["Photo"], batch_size: int) -> dict[str, Scored]:
    """The best caption of every photo, by name; `predict` gets the paths of up to `batch_size` photos."""
    from tqdm import tqdm

    captions: dict[str, Scored] = {}
    with tqdm(total=len(photos), unit="photo", desc="captions") as bar:
        for first in range(0, len(photos), batch_size):
            batch = photos[first : first + batch_size]
            found = predict([photo.path for photo in batch])
            captions |= {photo.name: caption for photo, caption in zip(batch, found, strict=True)}
            bar.update(len(batch))
    return captions


def evaluate(
    predict: Predict,
    photos: Sequence["Photo"],
    training_captions: Iterable[str] = (),
    batch_size: int = 32,
    max_words: int | None = None,
) -> Outcome:
    """Caption `photos` and score the plain strings against all of their references.

    A caption of `max_words` words was cut, so that the end of it is not among its log-probabilities.
    """
    from training.fluency import fluency
    from training.metrics import score
    from training.people import measure_people

    captions, seen = caption_photos(predict, photos, batch_size), list(training_captions)
    texts = {name: caption.text for name, caption in captions.items()}
    references = {photo.name: list(photo.captions) for photo in photos}
    scores, people = score(references, texts), measure_people(references, seen)
    values = {name: round(value, 6) for name, value in scores.values.items()}
    reads = fluency(texts.values(), seen)
    entry: dict[str, Any] = {**values, "photos": len(photos), "protocol": scores.protocol, "fluency": reads}
    if people:
        entry["people"] = {"CIDEr": round(people.mean_cider, 6), "fluency": people.fluency}
        entry |= _reliability(captions, scores.ciders, people, max_words)
    predictions = {name: _prediction(caption, scores.ciders[name]) for name, caption in captions.items()}
    return Outcome(entry, predictions, people)


def _reliability(
    captions: Mapping[str, Scored], ciders: Mapping[str, float], people: "People", max_words: int | None
) -> dict[str, Any]:
    from training.confidence import reliability

    rated = {name: caption.confidence for name, caption in captions.items() if caption.confidence is not None}
    if not rated:
        return {}
    certainties = [_certainty(captions[name], max_words) for name in rated]
    return {"confidence": reliability(list(rated.values()), certainties, [ciders[name] for name in rated], people)}


def _certainty(caption: Scored, max_words: int | None) -> float:
    """Mean log-probability of the words, the end of the caption among them."""
    from model.tokenizer import Tokenizer

    words = len(Tokenizer.split(caption.text))
    return caption.log_probability / (words if words == max_words else words + 1)


def _prediction(caption: Scored, cider: float) -> dict[str, Any]:
    rated = {} if caption.confidence is None else {"confidence": round(caption.confidence, 4)}
    spoken = {"caption": caption.text, "log_probability": round(float(caption.log_probability), 4)}
    return {**spoken, **rated, "CIDEr": round(cider, 4)}


def evaluate_split(
    captioner: "CaptionGenerator",
    dataset: "Dataset",
    split: str,
    beam_width: int,
    batch_size: int,
    decoding: Mapping[str, Any] | None = None,
) -> Outcome:
    """Evaluate the captioner on one split of a dataset. Raises DatasetError if the split holds no photos.

    `decoding` is that section of the artifact's `config.json`: how captions were searched is part of the entry.
    """
    decoding = decoding or {}

    def predict(paths: list[Path]) -> list[Scored]:
        return [result.captions[0] for result in captioner.generate(paths, 1, beam_width)]

    train = [caption for photo in dataset.splits.get("train", []) for caption in photo.captions]
    outcome = evaluate(predict, _photos(dataset, split), train, batch_size, decoding.get("max_words"))
    search = {"beam_width": beam_width, "length_penalty": captioner.info["length_penalty"]}
    if decoding.get("repetition_penalty"):
        search["repetition_penalty"] = decoding["repetition_penalty"]
    return replace(outcome, entry={**outcome.entry, **search})


def _photos(dataset: "Dataset", split: str) -> list["Photo"]:
    if photos := dataset.splits.get(split):
        return photos
    raise DatasetError(f"split {split!r} must hold photos; found {dataset.summary()}: name another --split")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. 0: done; 1: recorded scores did not come out; 2: it could not run, and says why."""
    options = parse(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return run(options)
    except CaptionerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line; every split once, in the order given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add(
        "--artifacts",
        type=Path,
        default=Path("artifacts"),
        help="the artifact to evaluate (default: artifacts)",
    )
    add(
        "--dataset",
        type=Path,
        required=True,
        help="folder of photos and captions, in any layout that training/datasets.py knows",
    )
    add("--split", action="append", choices=SPLITS, help="may be given several times (default: dev)")
    add("--beam-width", type=_positive, help="1 is greedy (default: the artifact's own)")
    add("--batch-size", type=_positive, default=32, help="photos captioned at a time (default: 32)")
    add("--draw-split", action="store_true", help="score other photos than those the training split was drawn from")
    add("--output", type=Path, help="folder for metrics and predictions (default: the artifact)")
    add(
        "--check",
        type=float,
        nargs="?",
        const=TOLERANCE,
        metavar="TOLERANCE",
        help=f"compare with the recorded scores instead of writing (default tolerance: {TOLERANCE})",
    )
    add("--report", type=Path, metavar="FILE.html", help="also write one page to look at, whole in itself")
    add("--runs", type=Path, metavar="DIR", help="the training's --work folder, for its curves in the report")
    options = parser.parse_args(arguments)
    options.split = list(dict.fromkeys(options.split or ["dev"]))
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Evaluate every split asked for, then record or check. Returns the exit status."""
    from training.metrics import OWN_PROTOCOL, available_protocol

    protocol = available_protocol()
    if protocol == OWN_PROTOCOL:
        print(f"Scores on {protocol}: install Java 8 or later for the published protocol.", file=sys.stderr)
    recorded = _comparable(options, protocol) if options.check is not None else {}

    dataset = load_as_trained(options.artifacts, options.dataset, options.draw_split)
    print(dataset.summary())
    for split in options.split:
        _photos(dataset, split)

    with quiet_import():  # last: it starts Keras, and the checks above are quick
        from model.captioner import CaptionGenerator

    captioner = CaptionGenerator.load(options.artifacts, "float32")  # the same on every machine
    decoding = read_config(options.artifacts).get("decoding")
    outcomes = {}
    for split in options.split:
        width = options.beam_width or recorded.get(split, {}).get("beam_width") or captioner.beam_width
        outcomes[split] = evaluate_split(captioner, dataset, split, width, options.batch_size, decoding)
        if options.check is None:
            _record(options, split, outcomes[split])
    report(outcomes)
    if options.report:
        from training.report import write_report

        write_report(options.report, captioner, dataset, outcomes, read_config(options.artifacts), options.runs)
        print(f"wrote {options.report}")
    return _compare(recorded, outcomes, options.check) if options.check is not None else 0


def load_as_trained(artifacts: Path, root: Path, draw_split: bool = False) -> "Dataset":
    """The dataset with the splits that the artifact was trained with. Raises ArtifactError or DatasetError.

    With `draw_split` they are drawn even where the training wrote them down.
    """
    from training import splits
    from training.datasets import load_dataset

    written = artifacts / splits.FILE
    split_file = written if written.exists() and not draw_split else None
    return load_dataset(root, seed=split_seed(artifacts), split_file=split_file)


def split_seed(artifacts: Path) -> int:
    """The seed that drew the splits, if the dataset brings none: another would mix train and test."""
    training = read_config(artifacts).get("training") or {}
    return int((training.get("options") or {}).get("seed", 0))


def _record(options: argparse.Namespace, split: str, outcome: Outcome) -> None:
    from training.card import write_card

    record(options.output or options.artifacts, split, outcome.entry, outcome.predictions)
    if options.output in (None, options.artifacts):
        write_card(options.artifacts)


def _comparable(options: argparse.Namespace, protocol: str) -> dict[str, dict[str, Any]]:
    """The recorded entries of the splits. Raises ArtifactError where a comparison would mean nothing."""
    metrics = read_metrics(options.artifacts)
    for split in options.split:
        entry = metrics.get(split)
        if entry is None:
            raise ArtifactError(f"--check wants recorded scores of {split!r}; there are none: leave --check out")
        if entry.get("protocol") != protocol:
            raise ArtifactError(
                f"--check compares like with like; {split!r} was scored by {entry.get('protocol')},"
                f" here there is {protocol}: install Java 8 or later, or leave --check out"
            )
        if options.beam_width not in (None, entry.get("beam_width")):
            raise ArtifactError(
                f"--check compares like with like; {split!r} was scored with beam width"
                f" {entry.get('beam_width')}, not {options.beam_width}: leave --beam-width out"
            )
    return {split: metrics[split] for split in options.split}


def _compare(recorded: Mapping[str, Any], outcomes: Mapping[str, Outcome], tolerance: float) -> int:
    moved = [line for split, outcome in outcomes.items() for line in _moved(split, recorded, outcome, tolerance)]
    for line in moved:
        print(f"Not reproduced: {line}", file=sys.stderr)
    if not moved:
        print(f"Reproduced: every score is within {tolerance} of the recorded one.")
    return 1 if moved else 0


def _moved(split: str, recorded: Mapping[str, Any], outcome: Outcome, tolerance: float) -> list[str]:
    before, now = recorded[split], outcome.entry
    # ROUGE-1 and ROUGE-2 are younger than some records.
    measured = {name: value for name, value in outcome.scores.items() if name in before or name in METRICS}
    lines = [f"{split} {line}" for line in differences(scores_of(before), measured, tolerance)]
    if before.get("photos") != now["photos"]:
        lines.append(f"{split} photos: recorded {before.get('photos')}, found {now['photos']}")
    return lines


def report(outcomes: Mapping[str, Outcome]) -> None:
    """Print the scores, and under them what others published."""
    from training.tables import PUBLISHED, describe, plain_table

    own = {f"this model, {split}": outcome.scores for split, outcome in outcomes.items()}
    print("\nScores ×100. The last rows are published figures for Flickr8k's official test split.\n")
    print(plain_table({**own, **PUBLISHED}))
    print()
    for split, outcome in outcomes.items():
        print(describe(split, outcome.entry))


if __name__ == "__main__":
    sys.exit(main())
