"""The table of `make bench`."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

KINDS = {"short": "short answers", "task": "short answers, each a new task", "stream": "streams of 100 events"}
TITLES = {
    "direct": "direct to the endpoint",
    "nginx": "nginx, static header",
    "bare": "bare ASGI proxy",
    "key": "gateway, key-based",
    "oauth": "gateway, OAuth",
    "entra": "gateway, Entra",
}
HEAD = (
    "| | processes | calls/s | p50 ms | p99 ms | CPU ms a call | memory MB | of direct | of the bare proxy |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def of(cells: list, commits: list[float], fresh: list, options) -> str:
    parts = [_where(options), f"One durable commit: {median(commits):.2f} ms."]
    for kind in options.kinds:
        for connections in options.connections:
            chosen = [cell for cell in cells if cell.kind == kind and cell.connections == connections]
            if chosen:
                rows = [_row(cell, chosen) for cell in chosen]
                parts.append("\n".join([f"**{KINDS[kind]}, {_connections(connections)}**\n", HEAD, *rows]))
    if added := _added(cells, median(commits)):
        parts.append(added)
    if fresh:
        parts.append(_freshness(fresh))
    return "\n\n".join(parts)


def _connections(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"


def _where(options) -> str:
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores ({model}), Python {platform.python_version()}, "
        f"commit {_commit()}; all processes and PostgreSQL (fsync on) on this machine, load average {load:.1f} at the "
        f"end; {options.rounds} rounds of {options.seconds:g} s, medians."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


def _row(cell, beside: list) -> str:
    name = cell.target.name
    own = ("", "") if name == "direct" else (f"{cell.figure('cpu'):.2f}", f"{cell.figure('memory'):.0f}")
    figures = [
        TITLES[name],
        "" if name == "direct" else str(cell.target.processes),
        f"{cell.figure('per_second'):,.0f}",
        f"{cell.figure('p50'):.2f}",
        f"{cell.figure('p99'):.2f}",
        *own,
        _ratio(cell, _find(beside, "direct", 1)),
        _ratio(cell, _find(beside, "bare", cell.target.processes)),
    ]
    return f"| {' | '.join(figures)} |"


def _find(cells: list, name: str, processes: int):
    return next((cell for cell in cells if cell.target.name == name and cell.target.processes == processes), None)


def _ratio(cell, other) -> str:
    """The median of each round's own ratio: what the machine did beside it then slowed both."""
    if other is None or other is cell:
        return ""
    pairs = zip(cell.rounds, other.rounds, strict=True)
    return f"{median(one['per_second'] / two['per_second'] for one, two in pairs):.2f}"


def _added(cells: list, commit: float) -> str:
    """What the gateway adds to one call at a time, beyond the endpoint and one durable commit."""
    alone = [cell for cell in cells if cell.kind == "short" and cell.connections == 1]
    direct = _find(alone, "direct", 1)
    if direct is None:
        return ""
    lines = []
    for cell in alone:
        if cell.target.connection and cell.target.processes == 1:
            p50, p99 = (cell.figure(name) - direct.figure(name) - commit for name in ("p50", "p99"))
            lines.append(f"{TITLES[cell.target.name]} {p50:.2f} ms at p50 and {p99:.2f} ms at p99")
    return f"Added with one connection, beyond direct and one durable commit: {'; '.join(lines)}." if lines else ""


def _freshness(fresh: list) -> str:
    rows = [f"| {one.what} | {one.processes} | {max(one.seconds, 0):.2f} |" for one in fresh]
    head = "| taken away under load | processes | the last call that still worked began after (s) |"
    return "\n".join([head, "|---|---|---|", *rows])
