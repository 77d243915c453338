"""Laws of self-critical training: the reward, the samples, the advantages, the stage as a whole."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider

from model.bundle import build_decoder, load_bundle
from model.captioner import CaptionGenerator
from model.config import DecoderConfig
from model.tokenizer import END, PAD, START, UNKNOWN
from training.cider_d import CiderD
from training.reinforce import SelfCritic, advantages
from training.sampling import Sampler
from training.train import main

VOCABULARY, MAX_WORDS = 9, 6


def sentences(count: int, seed: int, shortest: int = 1) -> list[list[str]]:
    drawn = random.Random(seed)
    return [[drawn.choice("abcdefgh") for _ in range(drawn.randint(shortest, 9))] for _ in range(count)]


@pytest.fixture(scope="module", params=["lstm", "gru"])
def sampler(request: pytest.FixtureRequest) -> Sampler:
    sizes = DecoderConfig(VOCABULARY, channels=3, cell=request.param, units=8, heads=2)
    return Sampler(build_decoder(sizes), MAX_WORDS)


def grids(photos: int) -> np.ndarray:
    return np.random.default_rng(photos).random((photos, 2, 2, 3), np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_the_reward_is_the_cider_d_of_the_field(seed: int) -> None:
    photos = [sentences(1 + row % 4, 100 * seed + row, shortest=0) for row in range(8)]
    captions = sentences(8, seed + 1000)
    texts = {row: [" ".join(words) for words in photo] for row, photo in enumerate(photos)}
    _, theirs = Cider().compute_score(texts, {row: [" ".join(words)] for row, words in enumerate(captions)})
    cider = CiderD(photos)
    ours = [cider.reward(row, words) for row, words in enumerate(captions)]
    assert ours == pytest.approx(list(theirs), abs=1e-9)
    assert max(ours) > 0


def test_samples_start_end_and_pad_like_captions(sampler: Sampler) -> None:
    ids = sampler.draw(grids(4), 16, np.random.default_rng(0))
    assert ids.shape == (4, 16, MAX_WORDS + 2)
    assert (ids[..., 0] == START).all()
    assert not np.isin(ids[..., 1:], (START, UNKNOWN)).any()
    for caption in ids.reshape(-1, MAX_WORDS + 2):
        words = caption[1:][caption[1:] != PAD]
        assert (caption[1 : 1 + len(words)] == words).all()  # PAD only at the end
        assert (words[:-1] != END).all()
        assert (words[1:] != words[:-1]).all()


def test_samples_follow_the_distribution(sampler: Sampler) -> None:
    """First words come as often as the decoder's probabilities say: a chi-square test at one in ten thousand."""
    count = 4000
    first = sampler.draw(grids(1), count, np.random.default_rng(1))[0, :, 1]
    states = [np.zeros((1, 1, 8), np.float32)] * sampler._states
    memory = sampler._remember([grids(1)])
    logits = np.asarray(sampler._step([np.full((1, 1), START), *states, *memory])[0])[0, 0].astype(float)
    logits[[PAD, START, UNKNOWN]] = -np.inf
    expected = count * np.exp(logits) / np.exp(logits).sum()
    seen = np.bincount(first, minlength=VOCABULARY)
    live = expected > 0
    assert (((seen - expected)[live]) ** 2 / expected[live]).sum() < 27.9  # 6 words: 5 degrees of freedom
    assert not seen[~live].any()


def test_the_seed_decides_what_is_drawn(sampler: Sampler) -> None:
    one, twin, other = (sampler.draw(grids(2), 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, twin)
    assert (one != other).any()


def test_an_advantage_is_the_lead_over_the_mean_of_the_others() -> None:
    rewards = np.array([[1.0, 2.0, 6.0], [3.0, 3.0, 3.0]])
    np.testing.assert_allclose(advantages(rewards), np.array([[1 - 4, 2 - 3.5, 6 - 1.5], [0, 0, 0]]))


def test_samples_count_by_their_advantage_and_people_by_their_share(sampler: Sampler) -> None:
    captions = [[[START, 4, 5, 6, END], [START, 4, 5, END], [START, 5, 6, END]]] * 4
    critic = SelfCritic(sampler, captions, samples=3, max_words=MAX_WORDS, human_share=0.25)
    batch = critic.batch(np.arange(4), grids(4), np.random.default_rng(0))
    words = (batch.targets != PAD).sum()
    assert batch.weights.shape == batch.targets.shape == (4, 4, MAX_WORDS + 1)
    np.testing.assert_allclose(batch.weights[:, 3:][batch.targets[:, 3:] != PAD], 0.25 / words, rtol=1e-6)
    assert not batch.weights[batch.targets == PAD].any()
    of_samples = batch.weights[:, :3].max(axis=-1) + batch.weights[:, :3].min(axis=-1)
    np.testing.assert_allclose(of_samples.sum(axis=1), 0, atol=1e-7)  # what one wins its fellows lose


def test_the_stage_trains_and_is_kept_only_if_it_helped(
    colour_dataset: Path, tiny_artifact: Path, tmp_path: Path
) -> None:
    status = main(
        f"--dataset {colour_dataset} --init {tiny_artifact} --epochs 0 --output {tmp_path / 'artifacts'} "
        f"--work {tmp_path / 'work'} --max-words 8 --batch-size 8 --reinforce --reinforce-epochs 2 --samples 3 "
        "--reinforce-encoder-rate 0.001 --reinforce-decoder-rate 0.001".split()
    )
    assert status == 0
    with (tmp_path / "work" / "reinforced.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 2
    assert {"loss", "reward", "dev_cider"} <= set(rows[0])
    scores = load_bundle(tmp_path / "artifacts").config.training["dev_cider_own_tokens"]
    assert set(scores) == {"start", "self-critical", "dev beam"}
    assert "wall" in CaptionGenerator.load(tmp_path / "artifacts").predict(colour_dataset / "Images" / "red00.png")
