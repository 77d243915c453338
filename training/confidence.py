"""Fit the confidence of captions on the dev split, and say how far it can be believed.

    python training/confidence.py --artifacts artifacts --dataset DIR

captions the dev photos with the artifact's own search, fits `model.confidence.Confidence` to how well the captions
agree with what people wrote, and writes it into the artifact's `config.json` (and its checksum). A training does the
same at its end. The signals were chosen on dev by cross-validation, see docs/lab.md.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from model.checksums import CONFIG, write_checksums
from model.confidence import Confidence, signals
from model.errors import DatasetError
from model.quiet import quiet_import
from training.again import learn_again
from training.results import replace_file, to_json
from training.tables import reliability_table

if TYPE_CHECKING:
    from model.bundle import Bundle
    from model.search import Hypothesis
    from model.tokenizer import Tokenizer
    from training.datasets import Photo
    from training.people import People

Numbers = Sequence[float] | np.ndarray
Found = Sequence[Sequence["Hypothesis"]]  # the hypotheses of each photo, best first

MIN_PHOTOS = 50
_PENALTY = 3.0  # on squared weights; the bias is free, so that the mean rating is the mean quality
_STEPS = 20
_FOLDS = 10
_BATCH = 32  # photos


@dataclass(frozen=True)
class Judged:
    """Best captions of photos beside what people wrote of them, row by row."""

    ciders: np.ndarray  # (photos,)
    certainties: np.ndarray  # (photos,) mean log-probabilities of the words
    people: "People"

    @property
    def qualities(self) -> np.ndarray:
        """The share of people's captions that each caption surpasses: what a confidence expects."""
        return self.people.surpassed_by(self.ciders)


def judge(found: Found, photos: Sequence["Photo"], tokenizer: "Tokenizer") -> Judged | None:
    """Score the best hypothesis of each photo; None where no photo has two captions to compare people by."""
    from training.metrics import photo_ciders
    from training.people import measure_people

    references = {photo.name: list(photo.captions) for photo in photos}
    people = measure_people(references)
    if people is None:
        return None
    captions = {photo.name: tokenizer.decode(best[0].ids) for photo, best in zip(photos, found, strict=True)}
    ciders = photo_ciders(references, captions)
    certainties = [float(np.mean(best[0].word_log_probabilities)) for best in found]
    return Judged(np.array([ciders[photo.name] for photo in photos]), np.array(certainties), people)


def learn_confidence(found: Found, photos: Sequence["Photo"], tokenizer: "Tokenizer") -> Confidence | None:
    """Fit to the hypotheses that an artifact's search found for photos that it was not trained on, row by row.

    None where nothing could be learnt: fewer than `MIN_PHOTOS` photos, or no photo with two captions.
    """
    judged = judge(found, photos, tokenizer) if len(photos) >= MIN_PHOTOS else None
    return fit_confidence(found, judged.qualities) if judged else None


def fit_confidence(found: Found, qualities: Numbers) -> Confidence:
    """A logistic model of `qualities` (photos,), each in 0 to 1, given the best hypothesis of each photo."""
    return _fit(_rows(found), np.asarray(qualities, float))


def cross_validated(found: Found, qualities: Numbers) -> np.ndarray:
    """(photos,) ratings, each by a model that did not see the photo."""
    rows, truth = _rows(found), np.asarray(qualities, float)
    folds = np.random.default_rng(0).permutation(len(rows)) % _FOLDS
    ratings = np.empty(len(rows))
    for fold in range(_FOLDS):
        held_out = folds == fold
        ratings[held_out] = _fit(rows[~held_out], truth[~held_out]).rate_signals(rows[held_out])
    return ratings


def _rows(found: Found) -> np.ndarray:
    return np.stack([signals(hypotheses)[0] for hypotheses in found])


def _fit(rows: np.ndarray, truth: np.ndarray) -> Confidence:
    """Newton's method on the cross-entropy with an L2 penalty; signals that are unknown count as average."""
    known = np.where(np.isnan(rows).all(axis=0), 0.0, rows)
    means, deviations = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    deviations = np.where(deviations > 1e-9, deviations, 1.0)
    design = np.column_stack([np.ones(len(rows)), np.nan_to_num((known - means) / deviations)])
    penalty = np.diag([0.0, *[_PENALTY] * rows.shape[1]]) + 1e-9 * np.eye(1 + rows.shape[1])
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        rated = 1 / (1 + np.exp(-design @ weights))
        curvature = design.T @ (design * (rated * (1 - rated))[:, None]) + penalty
        weights -= np.linalg.solve(curvature, design.T @ (rated - truth) + penalty @ weights)
    return Confidence(_plain(means), _plain(deviations), _plain(weights[1:]), float(weights[0]))


def _plain(numbers: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, numbers))


def rank_correlation(first: Numbers, second: Numbers) -> float:
    """Spearman's; 0 where either is constant."""
    ranks = np.stack([_ranks(first), _ranks(second)])
    if (ranks.std(axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: Numbers) -> np.ndarray:
    """Equal values share the mean of their ranks."""
    _, index, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[index]


def reliability(ratings: Numbers, certainties: Numbers, ciders: Numbers, people: "People") -> dict[str, Any]:
    """What `metrics.json` says of ratings: rank correlations with CIDEr, and expected beside achieved by decile.

    `certainties` are the words' mean log-probabilities: the signal that a confidence has to beat.
    """
    achieved, order = people.surpassed_by(ciders), np.argsort(ratings, kind="stable")
    groups = [group for group in np.array_split(order, 10) if len(group)]
    return {
        "rank_correlation": round(rank_correlation(ratings, ciders), 4),
        "rank_correlation_of_log_probability": round(rank_correlation(certainties, ciders), 4),
        "deciles": [
            {
                "photos": len(group),
                "expected": round(float(np.asarray(ratings)[group].mean()), 4),
                "achieved": round(float(achieved[group].mean()), 4),
                "CIDEr": round(float(np.asarray(ciders)[group].mean()), 4),
            }
            for group in groups
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return learn_again(__doc__, refit, arguments)


def refit(artifacts: Path, dataset: Path) -> None:
    """Fit the confidence of an artifact on the dev split of a dataset and write it down. Raises CaptionerError."""
    from training.evaluate import load_as_trained

    photos = load_as_trained(artifacts, dataset).splits["dev"]
    with quiet_import():
        from model import runtime  # noqa: F401  before anything that imports Keras: it chooses what Keras runs on
        from model.bundle import load_bundle

    bundle = load_bundle(artifacts)
    found = search_photos(bundle, [photo.path for photo in photos])
    judged = judge(found, photos, bundle.tokenizer) if len(photos) >= MIN_PHOTOS else None
    if judged is None:
        raise DatasetError(
            f"a confidence is fitted to {MIN_PHOTOS} photos or more, some with two captions or more;"
            f" the dev split has {len(photos)} photos: name a larger dataset"
        )
    config = replace(bundle.config, confidence=fit_confidence(found, judged.qualities).to_dict())
    replace_file(artifacts / CONFIG, to_json(config.to_dict()))
    write_checksums(artifacts)
    ratings = cross_validated(found, judged.qualities)
    print("Each photo rated by a model that was fitted to the others:\n")
    print(reliability_table({"dev": reliability(ratings, judged.certainties, judged.ciders, judged.people)}))


def search_photos(bundle: "Bundle", paths: Sequence[Path]) -> list[list["Hypothesis"]]:
    """The hypotheses of each photo, in float32: the same on every machine."""
    from tqdm import tqdm

    from model.encoder import input_size
    from model.generation import Generator
    from model.runtime import compiled_network
    from training.features import read_pixels

    size, decoding = input_size(bundle.encoder), bundle.config.decoding
    encode, generator = compiled_network(bundle.encoder, "float32"), Generator(bundle.decoder, "float32")
    found = []
    with tqdm(total=len(paths), unit="photo", desc="captions") as bar:
        for first in range(0, len(paths), _BATCH):
            batch = paths[first : first + _BATCH]
            found += generator.search(encode(read_pixels(batch, size)), decoding)
            bar.update(len(batch))
    return found


if __name__ == "__main__":
    sys.exit(main())
