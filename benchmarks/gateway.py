"""make bench: what the gateway costs, beside a bare proxy and no proxy at all, in one run on one machine.

    make bench                  all of it, some minutes
    make bench B=--short        one process, 1 and 16 connections
    make bench B="--only key,bare --connections 16 --seconds 3"

Everything is real: uvicorn with the Procfile's flags, values sealed in a PostgreSQL that keeps fsync on, roles, rows.
The targets take turns within each round. Fails where a call was answered wrongly or a row of the log is missing.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from statistics import median

from benchmarks import serving, throwaway
from benchmarks.loading import Cell, Target, begin_load
from benchmarks.serving import Server

KINDS = {"short": "a short answer", "task": "a new task", "stream": "a stream of 100 events"}
METHODS = ("key", "oauth", "entra")
TARGETS = "direct,nginx,bare,key,oauth,entra"


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    return _inside(options) if throwaway.is_inside() else throwaway.run_inside("benchmarks.gateway", arguments)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make bench")
    parser.add_argument("--short", action="store_true", help="one process, 1 and 16 connections, short answers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each load, beside a fifth to warm up")
    parser.add_argument("--only", default=TARGETS, help="targets, with commas between")
    parser.add_argument("--connections", default="")
    parser.add_argument("--processes", default="")
    parser.add_argument("--kinds", default="")
    parser.add_argument("--no-freshness", action="store_true")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    options.connections = _numbers(options.connections or ("1,16" if options.short else "1,16,256"))
    options.processes = _numbers(options.processes or ("1" if options.short else "1,2"))
    options.kinds = (options.kinds or ("short" if options.short else "short,task,stream")).split(",")
    return options


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _inside(options: argparse.Namespace) -> int:
    import django

    django.setup()
    from benchmarks import freshness, report, world

    with contextlib.ExitStack() as stack:
        port = serving.free_port()
        environment = dict(os.environ) | {"BENCH_CREDENTIALS": world.CREDENTIALS}
        stack.enter_context(serving.endpoint(port, environment))
        url = f"http://127.0.0.1:{port}/a2a"
        owner = world.make_owner(url)
        ways = [world.make_way(word, url, owner) for word in METHODS]
        targets = list(_targets(stack, options, ways, port, environment))
        cells, commits = _measured(options, targets)
        fresh, beside = ([], []) if options.no_freshness else freshness.measured(targets, url, owner)
        problems = [f"{cell.target.name}: {each}" for cell in [*cells, *beside] for each in _wrong(cell)]
        problems += freshness.broken(fresh) + _rows_missing([*cells, *beside])
        for problem in problems:
            print(f"FAILED: {problem}", file=sys.stderr)
        print(report.of(cells, commits, fresh, options))
    return 1 if problems else 0


def _targets(stack, options, ways, port: int, environment: dict[str, str]) -> Iterator[Target]:
    from benchmarks import world

    plain = {"X-Api-Key": world.KEY}
    if "direct" in options.only:
        yield Target("direct", 1, _Endpoint(port), "/a2a", plain, "key")
    for processes in options.processes:
        if "nginx" in options.only:
            server = stack.enter_context(serving.nginx(processes, port, world.KEY))
            if server is None:
                print("nginx is not installed here: skipped.", file=sys.stderr)
                options.only.remove("nginx")
            else:
                yield Target("nginx", processes, server, "/a2a", {}, "key")
        if "bare" in options.only:
            bare = environment | {"BENCH_BARE": _bare_settings(port)}
            server = stack.enter_context(serving.web("benchmarks.bare:application", processes, bare))
            yield Target("bare", processes, server, "/a2a", {"Authorization": "Bearer bare"}, "key")
        chosen = [way for way in ways if way.word in options.only]
        if chosen:
            server = stack.enter_context(serving.web("portal.asgi:application", processes, environment))
            for way in chosen:
                yield Target(way.word, processes, server, way.path, way.headers, way.word, way.connection.name)


class _Endpoint(Server):
    """Called directly there is no process between to count."""

    def __init__(self, port: int) -> None:
        super().__init__(port, None)

    def family(self) -> list[int]:
        return []


def _bare_settings(port: int) -> str:
    from cryptography.fernet import Fernet

    from benchmarks import world

    key = Fernet.generate_key()
    return json.dumps(
        {
            "digest": hashlib.sha256(b"bare").hexdigest(),
            "key": key.decode(),
            "sealed": Fernet(key).encrypt(world.KEY.encode()).decode(),
            "endpoint": f"http://127.0.0.1:{port}/a2a",
        }
    )


def _measured(options, targets: list[Target]) -> tuple[list[Cell], list[float]]:
    """The cells with their rounds, and how long one durable commit took (ms, the median of each round)."""
    cells = [
        Cell(target, kind, connections)
        for kind in options.kinds
        for connections in options.connections
        for target in targets
        if kind != "task" or connections == 16
    ]
    commits = []
    for _ in range(options.rounds):
        commits.append(_durable_commit())
        for cell in cells:
            cell.rounds.append(_loaded(cell, options.seconds))
    return cells, commits


def _loaded(cell: Cell, seconds: float) -> dict:
    target = cell.target
    before = target.server.cpu_seconds()
    found = begin_load(cell, seconds)()
    # The rows of the last calls follow within a quarter of a second, and cost what they cost.
    time.sleep(0.3 if target.connection else 0)
    found["cpu"] = (target.server.cpu_seconds() - before) * 1000 / max(found["calls"], 1)
    found["memory"] = target.server.memory()
    return found


def _durable_commit(times: int = 100) -> float:
    from django.db import connection

    took = []
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_commit (id bigserial PRIMARY KEY, text text)")
        for _ in range(times):
            began = time.perf_counter()
            cursor.execute("INSERT INTO bench_commit (text) VALUES (repeat('x', 600))")
            took.append((time.perf_counter() - began) * 1000)
    return median(took)


def _wrong(cell: Cell) -> list[str]:
    load = f"{KINDS[cell.kind]}, {cell.connections} connections, {cell.target.processes} processes"
    return [f"{one['wrong']} wrong, {load}: {one['sample']}" for one in cell.rounds if one["wrong"]]


def _rows_missing(cells: list[Cell], seconds: float = 5) -> list[str]:
    """Each call has its attempt and its outcome, and there are no others."""
    from django.db.models import Count

    from portal.audit.models import LogRow

    calls: dict[str, int] = {}
    for cell in cells:
        if cell.target.connection:
            made = sum(one["calls"] for one in cell.rounds)
            calls[cell.target.connection] = calls.get(cell.target.connection, 0) + made
    until = time.monotonic() + seconds
    while True:
        rows = LogRow.objects.filter(event="call", connection_name__in=calls)
        counted = rows.values_list("connection_name", "kind", "outcome").annotate(Count("id"))
        found = {(name, kind, outcome): number for name, kind, outcome, number in counted}
        expected = {(name, "attempt", "in_progress"): number for name, number in calls.items()}
        expected |= {(name, "outcome", "succeeded"): number for name, number in calls.items()}
        if found == expected or time.monotonic() > until:
            break
        time.sleep(0.2)
    print(f"{sum(calls.values())} calls through the gateway, {sum(found.values())} rows of theirs in the log.")
    if found == expected:
        return []
    # One row of another kind each; before anything is known of the call it names no connection.
    turned_away = dict(LogRow.objects.filter(event="call.refused").values_list("reason").annotate(Count("id")))
    return [f"rows of the log: {found}, expected {expected}; turned away before an attempt: {turned_away}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
