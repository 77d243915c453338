"""The geometry of small charts; `training/templates/charts.html` draws them as SVG in the colours of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]

WIDTH, HEIGHT = 480, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 20, 34, 44


@dataclass(frozen=True)
class Tick:
    """A position along an axis, in pixels, and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """Something drawn: the points of a line or of dots, or the corners of a bar, in pixels; `kind` colours it."""

    kind: str
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """The points as SVG's polyline has them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True)
class Chart:
    """Ready to draw: `text` says in words what the chart shows, for whoever does not see it."""

    text: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Mark, ...] = ()
    dots: tuple[Mark, ...] = ()
    bars: tuple[Mark, ...] = ()
    names: tuple[Tick, ...] = ()  # of stretches of the x axis, under the upper edge

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM


@dataclass(frozen=True)
class Scale:
    """From values to pixels, both axes."""

    x: tuple[float, float]
    y: tuple[float, float]

    def point(self, x: float, y: float) -> Point:
        """Where a value stands on the chart."""
        return self.across(x), self.up(y)

    def across(self, x: float) -> float:
        """Pixels from the left."""
        return _LEFT + (x - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - _LEFT - _RIGHT)

    def up(self, y: float) -> float:
        """Pixels from the top."""
        return HEIGHT - _BOTTOM - (y - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - _TOP - _BOTTOM)


def round_range(values: Sequence[float], steps: int = 4) -> tuple[float, ...]:
    """About `steps` + 1 round numbers that span the values, ascending."""
    low, high = min(values), max(values)
    rough = max((high - low) / steps, 1e-6)
    power = 10.0 ** _floor_log10(rough)
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = int(low // step), -int(-high // step)
    return tuple(step * number for number in range(first, max(last, first + 1) + 1))


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def line_chart(text: str, y_label: str, stages: Sequence[tuple[str, Sequence[float]]], kind: str) -> Chart:
    """Values by epoch, the stages of a training one after the other, each a line of its own with its name above."""
    values = [value for _, points in stages for value in points]
    rungs, count = round_range(values), len(values)
    scale = Scale((0.5, count + 0.5), (rungs[0], rungs[-1]))
    lines, dots, names, done = [], [], [], 0
    for name, points in stages:
        marked = Mark(kind, tuple(scale.point(done + number, value) for number, value in enumerate(points, start=1)))
        lines.append(marked)
        dots.append(marked)
        names.append(Tick(scale.across(done + 0.5), name))
        done += len(points)
    every = max(1, -(-count // 16))
    epochs = [number for _, points in stages for number in range(1, len(points) + 1)]
    ticks = [Tick(scale.across(at), str(epoch)) for at, epoch in enumerate(epochs, start=1) if at % every == 0]
    y_ticks = tuple(Tick(scale.up(rung), f"{rung:.4g}") for rung in rungs)
    return Chart(text, "epoch", y_label, tuple(ticks), y_ticks, tuple(lines), tuple(dots), names=tuple(names))


def histogram(text: str, series: dict[str, Sequence[float]], edges: Sequence[float]) -> Chart:
    """Shares of values between edges, series side by side; what lies beyond the last edge counts in the last bin."""
    shares = {kind: _shares(values, edges) for kind, values in series.items()}
    rungs = round_range([0, max(share for row in shares.values() for share in row)])
    scale, slot = Scale((0, len(edges) - 1), (0, rungs[-1])), 0.8 / len(series)
    bars = []
    for place, (kind, row) in enumerate(shares.items()):
        for number, share in enumerate(row):
            x = number + 0.1 + place * slot
            bars.append(Mark(kind, (scale.point(x, share), scale.point(x + slot * 0.92, 0))))
    x_ticks = tuple(Tick(scale.across(number), f"{100 * edge:.3g}") for number, edge in enumerate(edges[:-1]))
    y_ticks = tuple(Tick(scale.up(rung), f"{100 * rung:.3g} %") for rung in rungs)
    return Chart(text, "CIDEr of a photo, ×100", "share of photos", x_ticks, y_ticks, bars=tuple(bars))


def _shares(values: Sequence[float], edges: Sequence[float]) -> list[float]:
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(len(counts) - 1, sum(value >= edge for edge in edges[1:]))] += 1
    return [count / len(values) for count in counts]


def diagonal(text: str, points: Sequence[Point], x_label: str, y_label: str) -> Chart:
    """Shares against shares, with the line where both are equal."""
    high = round_range([0, max((max(point) for point in points), default=1)])
    scale = Scale((0, high[-1]), (0, high[-1]))
    dots = Mark("own", tuple(scale.point(*point) for point in points))
    ideal = Mark("ideal", (scale.point(0, 0), scale.point(high[-1], high[-1])))
    x_ticks = tuple(Tick(scale.across(rung), f"{100 * rung:.3g} %") for rung in high)
    y_ticks = tuple(Tick(scale.up(rung), f"{100 * rung:.3g} %") for rung in high)
    return Chart(text, x_label, y_label, x_ticks, y_ticks, (ideal,), (dots,))
