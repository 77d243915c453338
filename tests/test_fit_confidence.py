"""Laws of fitting a confidence: it finds what there is to find, and is measured fairly."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.checksums import verify
from model.confidence import SIGNALS, signals
from model.search import Hypothesis
from model.tokenizer import RESERVED, Tokenizer
from training.confidence import (
    MIN_PHOTOS,
    cross_validated,
    fit_confidence,
    learn_confidence,
    main,
    rank_correlation,
    reliability,
)
from training.datasets import Photo
from training.people import People, measure_people

PEOPLE = People(tuple(np.linspace(0, 2, 101)), {})


@pytest.fixture(autouse=True)
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores without Java, which takes a second for each round of people."""
    empty = tmp_path / "no-programs"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


def searches(photos: int, seed: int = 0) -> list[list[Hypothesis]]:
    """Three hypotheses a photo: random words, random certainty."""
    choose = random.Random(seed)

    def hypothesis() -> Hypothesis:
        ids = tuple(RESERVED + choose.randrange(200) for _ in range(choose.randint(4, 12)))
        steps = tuple(-choose.random() for _ in range(len(ids) + 1))
        return Hypothesis(ids, sum(steps), sum(steps), steps)

    return [[hypothesis() for _ in range(3)] for _ in range(photos)]


def truth_of(found: list[list[Hypothesis]]) -> np.ndarray:
    """A quality that depends on certainty and length, as a logistic model would have it."""
    certainty, words = (np.array([signals(best)[0][SIGNALS.index(name)] for best in found]) for name in SIGNALS[:2])
    return 1 / (1 + np.exp(-(4 * (certainty + 0.5) - 0.3 * (words - 8))))


def test_the_fit_finds_what_quality_depends_on_and_which_way() -> None:
    found = searches(300)
    confidence = fit_confidence(found, truth_of(found))
    weights = dict(zip(SIGNALS, confidence.weights, strict=True))
    assert weights["certainty"] > 0 > weights["words"]
    assert max(abs(weights[name]) for name in SIGNALS[2:]) < 0.1 * weights["certainty"]
    new = searches(100, seed=1)
    ratings = [confidence.rate(best)[0] for best in new]
    assert rank_correlation(ratings, truth_of(new)) > 0.99


def test_the_mean_rating_is_the_mean_quality() -> None:
    found, noise = searches(200), np.random.default_rng(0).uniform(0, 1, 200)
    confidence = fit_confidence(found, noise)
    assert np.mean([confidence.rate(best)[0] for best in found]) == pytest.approx(noise.mean(), abs=1e-6)


def test_no_photo_is_rated_by_a_model_that_saw_it() -> None:
    found, noise = searches(60), np.random.default_rng(0).uniform(0, 1, 60)
    seen = [fit_confidence(found, noise).rate(best)[0] for best in found]
    assert rank_correlation(seen, noise) > rank_correlation(cross_validated(found, noise), noise) + 0.1


def test_a_signal_that_no_photo_has_does_not_matter() -> None:
    found = [[best[0]] for best in searches(60)]
    confidence = fit_confidence(found, truth_of(found))
    assert confidence.weights[SIGNALS.index("agreement")] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [10, 20, 300], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 1, 2], [1, 1, 5], 1.0),
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),
        ([1, 1], [1, 2], 0.0),
    ],
)
def test_rank_correlation_is_spearmans(first: list[float], second: list[float], expected: float) -> None:
    assert rank_correlation(first, second) == pytest.approx(expected)


def test_the_table_sets_expected_beside_achieved_from_the_lowest_tenth_up() -> None:
    ciders = np.random.default_rng(0).uniform(0, 2, 200)
    table = reliability(PEOPLE.surpassed_by(ciders), -ciders, ciders, PEOPLE)
    assert table["rank_correlation"] == pytest.approx(1, abs=1e-3)
    assert table["rank_correlation_of_log_probability"] == pytest.approx(-1)
    assert [row["photos"] for row in table["deciles"]] == [20] * 10
    assert [row["expected"] for row in table["deciles"]] == [row["achieved"] for row in table["deciles"]]
    assert sorted(table["deciles"], key=lambda row: row["CIDEr"]) == table["deciles"]


def test_people_surpass_half_of_people() -> None:
    assert PEOPLE.surpassed_by([-1, 1.0, 9]) == pytest.approx([0, 0.5, 1])
    assert PEOPLE.surpassed_by(PEOPLE.ciders).mean() == pytest.approx(0.5)


def test_people_who_agree_score_higher_and_single_captions_say_nothing_of_people() -> None:
    words = ("red dog runs", "blue bird flies", "old man sleeps", "small child eats")
    agreeing = {f"{number}.jpg": [f"a {text}", f"the {text}", f"one {text}"] for number, text in enumerate(words)}
    texts = [text for captions in agreeing.values() for text in captions]
    mixed = {f"{number}.jpg": texts[number::4] for number in range(4)}
    agreed, disagreed = measure_people(agreeing), measure_people(mixed)
    assert agreed is not None and disagreed is not None
    assert agreed.mean_cider > disagreed.mean_cider
    assert len(agreed.ciders) == 12
    assert agreed.fluency["mean_words"] == 4
    assert measure_people({name: captions[:1] for name, captions in agreeing.items()}) is None


def photos(count: int, captions: int) -> list[Photo]:
    choose = random.Random(0)
    words = ("dog", "cat", "runs", "sleeps", "red", "blue")
    return [
        Photo(f"{n}.jpg", Path(f"{n}.jpg"), tuple(" ".join(choose.choices(words, k=4)) for _ in range(captions)))
        for n in range(count)
    ]


def test_where_nothing_can_be_learnt_there_is_no_confidence() -> None:
    tokenizer = Tokenizer(tuple(f"w{number}" for number in range(200)))
    found = searches(MIN_PHOTOS)
    assert learn_confidence(found, photos(MIN_PHOTOS, 2), tokenizer) is not None
    assert learn_confidence(found, photos(MIN_PHOTOS, 1), tokenizer) is None
    assert learn_confidence(found[1:], photos(MIN_PHOTOS, 2)[1:], tokenizer) is None


def test_the_command_writes_a_confidence_that_the_artifact_loads_with(
    tiny_artifact: Path, colour_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = Path(shutil.copytree(tiny_artifact, tmp_path / "artifacts"))
    monkeypatch.setattr("training.confidence.MIN_PHOTOS", 4)
    assert main(["--artifacts", str(artifact), "--dataset", str(colour_dataset)]) == 0
    verify(artifact)
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (tiny_artifact, artifact))
    assert set(after.pop("confidence")["signals"]) == set(SIGNALS)
    before.pop("confidence")
    assert after == before


def test_too_few_photos_leave_the_artifact_as_it_is_and_exit_two(
    tiny_artifact: Path, colour_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tiny_artifact / "config.json").read_bytes()
    assert main(["--artifacts", str(tiny_artifact), "--dataset", str(colour_dataset)]) == 2
    assert "50 photos or more" in capsys.readouterr().err.splitlines()[-1]
    assert (tiny_artifact / "config.json").read_bytes() == before


@pytest.mark.parametrize("command", ["confidence", "ablation"])
def test_the_commands_run_from_anywhere(command: str, tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[1] / "training" / f"{command}.py"
    shown = subprocess.run([sys.executable, script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--dataset" in shown.stdout
