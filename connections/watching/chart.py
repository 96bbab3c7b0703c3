"""The uptime bar and the latency line: geometry only; colours are the style sheet's, words the template's."""

from collections.abc import Sequence
from dataclasses import dataclass

from connections.models import Health
from connections.watching.history import STRETCHES, History, Stretch

WIDTH, BAR, GAP = 482.4, 5.0, 1.7
SLOT = BAR + GAP
BAR_HEIGHT, MARK, LINE_HEIGHT = 28, 3, 56
SCALES = (100, 250, 500, 1000, 2500, 5000, 10_000)
SERIES = {Health.State.HEALTHY: "healthy", Health.State.FAILING: "failed", Health.State.NOT_CHECKED: "unknown"}


@dataclass(frozen=True)
class Bar:
    stretch: Stretch
    series: str
    x: float
    y: float
    height: float

    @property
    def is_failing(self) -> bool:
        return self.stretch.state == Health.State.FAILING


@dataclass(frozen=True)
class Chart:
    """`lines` and `areas` are SVG paths, one for each stretch of time without a gap; `top` is the scale in ms."""

    history: History
    bars: Sequence[Bar]
    lines: str
    areas: str
    top: int

    width, bar_width, bar_height, mark = WIDTH, BAR, BAR_HEIGHT, MARK
    whole_height, line_height, middle_height = BAR_HEIGHT + MARK + 2, LINE_HEIGHT, LINE_HEIGHT / 2
    mark_y = BAR_HEIGHT + 2

    @property
    def middle(self) -> float:
        return self.top / 2

    @property
    def first(self) -> Stretch:
        return self.bars[0].stretch

    @property
    def centre(self) -> Stretch:
        return self.bars[STRETCHES // 2].stretch

    @property
    def name(self) -> str:
        """The bars in a sentence, for whoever can't see them."""
        percent, failing = self.history.healthy_percent, sum(bar.is_failing for bar in self.bars)
        if percent is None:
            return "No probe of this time could tell."
        return f"{percent:.1f} % of the probes were healthy; {failing} of {STRETCHES} bars are failing."

    @property
    def line_name(self) -> str:
        times = [bar.stretch.took_ms for bar in self.bars if bar.stretch.took_ms is not None]
        return f"Answer time between {min(times):,} and {max(times):,} milliseconds." if times else ""

    @property
    def is_empty(self) -> bool:
        return all(bar.series == "unknown" for bar in self.bars)


def chart_of(history: History) -> Chart:
    slowest = max((stretch.took_ms for stretch in history.stretches if stretch.took_ms is not None), default=0)
    top = next((scale for scale in SCALES if slowest <= scale), slowest)
    runs = [_path(run) for run in _runs(history.stretches, top)]
    lines = " ".join(f"M{path}" for path, _, _ in runs)
    areas = " ".join(f"M{start:.1f} {LINE_HEIGHT}L{path}L{end:.1f} {LINE_HEIGHT}Z" for path, start, end in runs)
    return Chart(history, [_bar(stretch, place) for place, stretch in enumerate(history.stretches)], lines, areas, top)


def _bar(stretch: Stretch, place: int) -> Bar:
    """Half height where nothing could be told; failing is also marked below, so never by colour alone."""
    height = BAR_HEIGHT if stretch.state != Health.State.NOT_CHECKED else BAR_HEIGHT / 2
    return Bar(stretch, SERIES[Health.State(stretch.state)], round(place * SLOT, 1), BAR_HEIGHT - height, height)


def _runs(stretches: Sequence[Stretch], top: int) -> list[list[tuple[float, float]]]:
    """Broken where no answer came. A lone point is drawn as wide as its bar."""
    runs: list[list[tuple[float, float]]] = [[]]
    for place, stretch in enumerate(stretches):
        if stretch.took_ms is None:
            runs.append([])
        else:
            runs[-1].append((place * SLOT + BAR / 2, LINE_HEIGHT - stretch.took_ms / top * (LINE_HEIGHT - 2)))
    return [_wide_enough(run) for run in runs if run]


def _wide_enough(run: list[tuple[float, float]]) -> list[tuple[float, float]]:
    [(x, y), *rest] = run
    return run if rest else [(x - BAR / 2, y), (x + BAR / 2, y)]


def _path(run: list[tuple[float, float]]) -> tuple[str, float, float]:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in run), run[0][0], run[-1][0]
