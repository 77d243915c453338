"""Laws of the training batches and of the loss."""

import numpy as np
import pytest

from model.tokenizer import END, PAD, START, UNKNOWN
from training.batches import CaptionBatches, flip_and_crop, teacher_forcing
from training.losses import CaptionLoss

CAPTIONS = [[[START, 4 + row, 5, END], [START, 6, END]] for row in range(7)]


def batches(**options: object) -> CaptionBatches:
    settings = {"batch_size": 3, "per_photo": 2, "max_words": 6, "seed": 5} | options
    return CaptionBatches("features", lambda rows, _: rows.astype(np.float32), CAPTIONS, **settings)  # type: ignore[arg-type]


def test_targets_are_the_ids_one_step_ahead() -> None:
    ids, targets = teacher_forcing([[[START, 7, 8, END], [START, 9, END]]], per_photo=3, max_words=4)
    assert ids.tolist() == [[[START, 7, 8, PAD, PAD], [START, 9, PAD, PAD, PAD], [PAD] * 5]]
    assert targets.tolist() == [[[7, 8, END, PAD, PAD], [9, END, PAD, PAD, PAD], [PAD] * 5]]


def test_a_long_caption_is_cut_and_not_ended() -> None:
    ids, targets = teacher_forcing([[[START, 7, 8, 9, 10, END]]], per_photo=1, max_words=2)
    assert ids.tolist() == [[[START, 7, 8]]]
    assert targets.tolist() == [[[7, 8, 9]]]


def test_every_photo_comes_once_an_epoch_with_its_own_captions() -> None:
    data = batches()
    seen = []
    for index in range(len(data)):
        inputs, targets = data[index]
        seen += inputs["features"].tolist()
        np.testing.assert_array_equal(targets[:, 0, 0], inputs["features"] + 4)
    assert sorted(seen) == list(range(7))


def test_the_seed_decides_and_epochs_differ() -> None:
    def order(data: CaptionBatches) -> list[float]:
        return [row for index in range(len(data)) for row in data[index][0]["features"]]

    data, twin = batches(), batches()
    first = order(data)
    assert first == order(twin)
    assert first != order(batches(seed=6))
    data.on_epoch_end()
    twin.on_epoch_end()
    assert order(data) == order(twin) != first


def test_a_batch_is_the_same_whenever_it_is_asked_for() -> None:
    data = batches(per_photo=1)
    before = data[1]
    data[0], data[2]
    np.testing.assert_array_equal(before[1], data[1][1])


def test_windows_are_cut_from_the_photo_and_half_are_mirrored() -> None:
    photo = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    cut = flip_and_crop(np.stack([photo] * 200), (6, 5), np.random.default_rng(0))
    windows = {photo[top : top + 6, left : left + 5].tobytes() for top in range(3) for left in range(4)}
    straight = sum(window.tobytes() in windows for window in cut)
    mirrored = sum(window[:, ::-1].tobytes() in windows for window in cut)
    assert straight + mirrored == 200
    assert 60 < mirrored < 140


def test_a_window_of_the_whole_photo_is_the_photo_or_its_mirror() -> None:
    photo = np.random.default_rng(1).integers(0, 256, (4, 4, 3), np.uint8)
    for cut in flip_and_crop(np.stack([photo] * 8), (4, 4), np.random.default_rng(0)):
        assert cut.tobytes() in (photo.tobytes(), photo[:, ::-1].tobytes())


def loss(targets: np.ndarray, logits: np.ndarray, smoothing: float = 0.1) -> float:
    return float(CaptionLoss(smoothing)(targets, logits))


def test_the_loss_is_cross_entropy_against_smoothed_targets() -> None:
    random = np.random.default_rng(0)
    logits, targets = random.normal(size=(2, 1, 3, 9)).astype(np.float32), random.integers(4, 9, (2, 1, 3))
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    smooth = 0.9 * np.eye(9)[targets] + 0.1 / 9
    assert loss(targets, logits) == pytest.approx(-(smooth * log_probabilities).sum(axis=-1).mean(), abs=1e-5)


@pytest.mark.parametrize("blind", [PAD, UNKNOWN])
def test_padding_and_unknown_words_change_no_loss(blind: int) -> None:
    logits = np.random.default_rng(0).normal(size=(1, 1, 4, 9)).astype(np.float32)
    targets = np.array([[[5, 6, blind, blind]]])
    other = logits.copy()
    other[:, :, 2:] = 7 * logits[:, :, :2]
    assert loss(targets, logits) == pytest.approx(loss(targets[..., :2], logits[:, :, :2]), abs=1e-6)
    assert loss(targets, other) == pytest.approx(loss(targets, logits), abs=1e-6)


def test_a_batch_without_words_costs_nothing() -> None:
    assert loss(np.full((1, 1, 2), PAD), np.ones((1, 1, 2, 9), np.float32)) == 0
