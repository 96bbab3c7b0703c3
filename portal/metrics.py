"""What is counted, and how Prometheus reads it. The only module that knows the library's name.

Labels come from lists of our own: no user, agent, connection or address is ever one. Where the server runs several
processes they share files (`portal.metrics_files`), so that whichever is asked answers for all.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from portal import metrics_files

SHARED = metrics_files.prepare()

from prometheus_client import (  # noqa: E402 -- it looks at the environment when it is imported
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

disable_created_metrics()
CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)

_registry = CollectorRegistry()
_calls = Counter(
    "gatehouse_gateway_calls",
    "Calls of agents that have ended, by outcome, authentication method and kind (plain, stream, about, unread).",
    ("outcome", "auth_method", "kind"),
    registry=_registry,
)
_problems = Counter(
    "gatehouse_gateway_problems",
    "Calls that did not succeed, by the code of the troubleshooting catalogue.",
    ("code",),
    registry=_registry,
)
_seconds = Histogram(
    "gatehouse_gateway_call_seconds",
    "How long calls took, from the request's head to the answer's end.",
    ("kind",),
    buckets=SECONDS,
    registry=_registry,
)
_streams = Gauge(
    "gatehouse_gateway_open_calls",
    "Calls that are open now, by kind; noted once a second.",
    ("kind",),
    multiprocess_mode="livesum",
    registry=_registry,
)
_batches = Histogram(
    "gatehouse_log_commit_rows",
    "Rows of the access log that shared one commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    registry=_registry,
)
_failures = Counter(
    "gatehouse_log_commit_failures", "Commits of the access log that the database refused.", registry=_registry
)
_waiting = Gauge(
    "gatehouse_log_rows_waiting",
    "Rows of the access log that are not committed yet; noted once a second.",
    multiprocess_mode="livesum",
    registry=_registry,
)


@dataclass(frozen=True)
class Measure:
    """Something that is looked up when Prometheus asks: a name, what it is, and (labels, value) pairs."""

    name: str
    help: str
    values: Iterable[tuple[dict[str, str], float]] = field(default_factory=list)


# Looking a label up costs more than counting does. As many entries as there are label values.
@cache
def _call_counter(outcome: str, auth_method: str, kind: str) -> Counter:
    return _calls.labels(outcome, auth_method, kind)


@cache
def _problem_counter(code: str) -> Counter:
    return _problems.labels(code)


@cache
def _seconds_of(kind: str) -> Histogram:
    return _seconds.labels(kind)


def call_ended(outcome: str, auth_method: str, kind: str, seconds: float, problem: str = "") -> None:
    """One call of an agent, at its end; `problem` is a code of the catalogue."""
    _call_counter(outcome, auth_method or "none", kind).inc()
    _seconds_of(kind).observe(seconds)
    if problem:
        _problem_counter(problem).inc()


def open_now(plain: int, streams: int, rows_waiting: int) -> None:
    _streams.labels("plain").set(plain)
    _streams.labels("stream").set(streams)
    _waiting.set(rows_waiting)


def rows_committed(count: int) -> None:
    _batches.observe(count)


def commit_failed() -> None:
    _failures.inc()


def page(measures: Iterable[Measure]) -> bytes:
    """All of it in the text format."""
    looked_up = CollectorRegistry()
    looked_up.register(_LookedUp(measures))
    return generate_latest(_counted()) + generate_latest(looked_up)


def _counted() -> CollectorRegistry:
    if not SHARED:
        return _registry
    metrics_files.forget_the_dead(SHARED)
    shared = CollectorRegistry()
    MultiProcessCollector(shared, path=str(SHARED))
    return shared


class _LookedUp:
    def __init__(self, measures: Iterable[Measure]) -> None:
        self._measures = measures

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for measure in self._measures:
            family = GaugeMetricFamily(measure.name, measure.help)
            for labels, value in measure.values:
                family.add_sample(measure.name, labels, value)
            yield family
