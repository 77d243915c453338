"""Laws of the training batches and of the loss."""

import numpy as np
import pytest

from model.tokenizer import END, PAD, START, UNKNOWN
from training.batches import CaptionBatches, flip_and_zoom, teacher_forcing, word_weights
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
        inputs, targets, _ = data[index]
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
    data.begin(1)
    twin.begin(1)
    assert order(data) == order(twin) != first


def test_a_batch_is_the_same_whenever_it_is_asked_for() -> None:
    data = batches(per_photo=1)
    before = data[1]
    data[0], data[2]
    np.testing.assert_array_equal(before[1], data[1][1])


def shown(photo: np.ndarray, shares: tuple[float, float], count: int = 100) -> np.ndarray:
    return flip_and_zoom(np.stack([photo] * count), (8, 8), shares, np.random.default_rng(0))


def test_half_of_the_photos_are_mirrored() -> None:
    dark_left = np.zeros((40, 40, 3), np.uint8)
    dark_left[:, 20:] = 255
    windows = shown(dark_left, (1.0, 1.0), 200)
    mirrored = sum(int(window[:, 0].mean() > window[:, -1].mean()) for window in windows)
    assert 60 < mirrored < 140


def test_a_window_of_the_whole_photo_is_the_photo_or_its_mirror() -> None:
    photo = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    for window in shown(photo, (1.0, 1.0)):
        assert window.tobytes() in (photo.tobytes(), photo[:, ::-1].tobytes())


def test_windows_show_a_share_of_the_photo_between_the_two() -> None:
    """On a ramp from left to right the range of values says how wide the window is."""
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    widths = [int(window.max()) - int(window.min()) for window in shown(ramp, (0.5, 0.75))]
    assert 0.3 * 255 < min(widths) < max(widths) < 0.75 * 255
    assert len({window[0, 0, 0] for window in shown(ramp, (0.5, 0.75))}) > 20


def test_the_words_of_a_batch_share_its_weight_and_padding_has_none() -> None:
    targets = np.array([[[5, 6, END, PAD], [7, UNKNOWN, END, PAD]]])
    weights = word_weights(targets, np.array([[1.0, 1.0]]))
    np.testing.assert_allclose(weights, np.array([[[1, 1, 1, 0], [1, 0, 1, 0]]]) / 5)
    doubled = word_weights(targets, np.array([[2.0, 0.0]]))
    np.testing.assert_allclose(doubled, np.array([[[2, 2, 2, 0], [0, 0, 0, 0]]]) / 5)


def test_important_captions_weigh_more() -> None:
    importance = [[0.5, 1.5]] * len(CAPTIONS)
    _, targets, weights = batches(importance=importance)[0]
    first, second = (weights[:, i][targets[:, i] != PAD] for i in (0, 1))
    np.testing.assert_allclose(3 * first.max(), second.max())


def loss(targets: np.ndarray, logits: np.ndarray, smoothing: float = 0.1) -> float:
    weights = word_weights(targets, np.ones(targets.shape[:2]))
    return float(CaptionLoss(smoothing)(targets, logits, weights))


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
