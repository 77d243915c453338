"""Laws of the report: one page that needs nothing else, and shows what was measured."""

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import DatasetError
from training import charts
from training.evaluate import main
from training.history import read_history
from training.report import choose_photos, render, veil

METRICS = {"dev": {"CIDEr": 0.5, "photos": 9, "beam_width": 5, "protocol": "by eye"}}
DECILE = {"photos": 1, "expected": 0.3, "achieved": 0.4, "CIDEr": 0.5}
RATED = {"rank_correlation": 0.5, "rank_correlation_of_log_probability": 0.4, "deciles": [DECILE] * 10}


@pytest.fixture
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores without Java: METEOR alone takes seconds to start."""
    empty = tmp_path / "no-programs"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


def page_of(**parts: object) -> str:
    return render({"name": "tiny", "version": "1", **parts}, METRICS, [], {})


@pytest.mark.usefixtures("no_java")
def test_the_command_writes_one_page_that_needs_nothing_else(
    tiny_artifact: Path, colour_dataset: Path, tmp_path: Path
) -> None:
    artifact, page = Path(shutil.copytree(tiny_artifact, tmp_path / "artifacts")), tmp_path / "report.html"
    assert main(f"--artifacts {artifact} --dataset {colour_dataset} --report {page}".split()) == 0
    text = page.read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert not re.search(r"<script|<link|@import|url\(", text)
    names = re.findall(r'alt="The photo (\w+\.png)"', text)
    assert len(names) == len(set(names)) >= 3
    assert "A plain" in text
    pictures = [base64.b64decode(source.partition(",")[2]) for source in sources if source.startswith("data:")]
    assert all(Image.open(io.BytesIO(picture)).size >= (1, 1) for picture in pictures)
    assert text.count('<use href="#') == sum(len(words.split()) for words in re.findall(r'class="said">([^<]*)', text))


def test_what_people_wrote_cannot_become_part_of_the_page() -> None:
    assert "<b>bold" not in page_of(training={"command": "<b>bold"})
    assert "&lt;b&gt;bold" in page_of(training={"command": "<b>bold"})


def test_what_was_not_measured_is_left_out() -> None:
    bare = page_of()
    assert 'id="confidence"' not in bare
    assert "recorded no curves" in bare
    rated = render({"name": "tiny", "version": "1"}, {"dev": {**METRICS["dev"], "confidence": RATED}}, [], {})
    assert 'id="confidence"' in rated
    assert "CIDEr 0.500 (of the mean log-probability: 0.400)" in rated


def test_curves_come_from_the_artifact_or_from_the_logs_of_a_run(tmp_path: Path) -> None:
    recorded = {"history": {"frozen": [{"epoch": 1, "loss": 4.5, "dev_cider": 0.3}]}}
    assert read_history(recorded) == {"frozen": [{"epoch": 1.0, "loss": 4.5, "dev_cider": 0.3}]}
    assert read_history({}) == {}
    (tmp_path / "tuned.csv").write_text("epoch,dev_cider,loss,val_loss\n0,0.41,3.8,NA\n1,0.42,3.7,NA\n")
    rows = read_history(recorded, tmp_path)["tuned"]
    assert [row["dev_cider"] for row in rows] == [0.41, 0.42]
    assert "val_loss" not in rows[0]
    further = {"history": {"frozen": [{"epoch": 1, "loss": 4.1}], "tuned": []}, "init": {"training": recorded}}
    assert [(stage, rows[0]["loss"]) for stage, rows in read_history(further).items()] == [
        ("frozen", 4.5),
        ("frozen 2", 4.1),
    ]
    with pytest.raises(DatasetError, match="--runs"):
        read_history(recorded, tmp_path / "nowhere")


def test_a_page_with_curves_says_where_they_begin_and_end() -> None:
    rows = [{"loss": 4.5, "dev_cider": 0.3}, {"loss": 4.0, "dev_cider": 0.412}]
    page = render({"name": "tiny", "version": "1"}, METRICS, [], {"frozen": rows})
    assert "Dev CIDEr by epoch, from 30.0 to 41.2." in page
    assert "recorded no curves" not in page


@pytest.mark.parametrize("photos", [1, 2, 3, 5, 11, 12, 30])
def test_photos_are_the_best_the_middle_and_the_worst_and_none_comes_twice(photos: int) -> None:
    ciders = {f"{number:02}": number / 10 for number in range(photos)}
    groups = choose_photos(ciders, 4)
    chosen = [name for names in groups.values() for name in names]
    assert len(chosen) == len(set(chosen)) == min(photos, 3 * min(4, max(1, photos // 3)))
    assert [ciders[name] for name in chosen] == sorted((ciders[name] for name in chosen), reverse=True)
    assert groups["Best"][0] == f"{photos - 1:02}"
    if photos >= 3:
        assert groups["Worst"][-1] == "00"


def test_the_veil_is_clear_where_the_network_looked() -> None:
    weights = np.zeros((4, 4))
    weights[0, 3] = 1.0
    shade = Image.open(io.BytesIO(base64.b64decode(veil(weights).partition(",")[2]))).convert("LA").getchannel("A")
    alpha = np.asarray(shade)
    assert alpha[:4, -4:].mean() < alpha[-4:, :4].mean() / 2
    assert alpha[0, -1] == alpha.min()


def test_charts_keep_every_value_inside_and_in_order() -> None:
    chart = charts.line_chart("", "loss", [("a", [5.0, 3.0]), ("b", [2.0])], "own")
    points = [point for line in chart.lines for point in line.points]
    assert all(chart.left <= x <= chart.right and chart.top <= y <= chart.bottom for x, y in points)
    assert points == sorted(points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # values fall, and pixels count from the top


def test_bars_of_a_histogram_share_out_all_values() -> None:
    chart = charts.histogram("", {"own": [0.1, 0.6, 0.6, 9.0]}, (0.0, 0.5, 1.0))
    heights = [low - high for (_, high), (_, low) in (bar.points for bar in chart.bars)]
    assert heights[1] == pytest.approx(3 * heights[0])


@pytest.mark.parametrize("values", [[0.0, 1.0], [16.6, 48.0], [3.43, 3.83], [5.0, 5.0], [0.0, 0.0], [0, 1e-4]])
def test_rungs_are_few_even_and_span_the_values(values: list[float]) -> None:
    rungs = charts.round_range(values)
    assert rungs[0] <= min(values)
    assert rungs[-1] >= max(values) - 1e-12
    assert 2 <= len(rungs) <= 8
    assert np.allclose(np.diff(rungs), rungs[1] - rungs[0])
