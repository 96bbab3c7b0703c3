"""What a call costs while the portal grows: connections, rows of the access log, processes."""

import os
import time

from benchmarks import serving, world
from benchmarks.limits import world_with_endpoint
from benchmarks.loading import Cell, Target, begin_load
from connections import secrets
from connections.models import Connection, Secret

HEAD = "| {} | calls/s | p50 ms | CPU ms a call | WAL kB a call |\n|---|---|---|---|---|"
ROUNDS, SECONDS = 3, 1.5
# As many log rows as one statement makes.
AT_ONCE = 100_000
# A row like those of a call, with other ids; the trigger lets it be inserted, and its HMAC is none.
MORE_ROWS = """
    INSERT INTO portal_logrow ({columns})
    SELECT {values} FROM portal_logrow CROSS JOIN generate_series(1, %s)
    WHERE portal_logrow.id = (SELECT max(id) FROM portal_logrow WHERE kind = 'outcome')
"""
NEW = {"uid": "gen_random_uuid()", "call_id": "gen_random_uuid()", "request_id": "md5(random()::text)"}
NEW |= {"writer": "gen_random_uuid()", "time": "now()"}


def of_connections(most: int = 10_000) -> list[str]:
    sizes = [size for size in (10, 100, 1000, 10_000, 100_000) if size <= most]
    with world_with_endpoint() as (way, _, url), serving.web("portal.asgi:application", 1, dict(os.environ)) as server:
        return _grown("connections", sizes, lambda size: _connect(way, url, size), [(way, server)] * len(sizes))


def of_rows(most: int = 1_000_000) -> list[str]:
    sizes = [size for size in (0, 10_000, 100_000, 1_000_000, 5_000_000) if size <= most]
    with world_with_endpoint() as (way, _, _), serving.web("portal.asgi:application", 1, dict(os.environ)) as server:
        problems = _grown("log rows", sizes, _fill, [(way, server)] * len(sizes))
        _say_how_large()
    return problems


def of_processes(most: int = 4) -> list[str]:
    problems = []
    print(HEAD.format("processes"))
    with world_with_endpoint() as (way, _, _):
        for number in range(1, most + 1):
            with serving.web("portal.asgi:application", number, dict(os.environ)) as server:
                problems += _line(number, way, server, connections=32)
    return problems


def _grown(what: str, sizes: list[int], grow, served: list[tuple]) -> list[str]:
    problems = []
    print(HEAD.format(what))
    for size, (way, server) in zip(sizes, served, strict=True):
        grow(size)
        problems += _line(size, way, server)
    return problems


def _line(size: int, way: world.Way, server, connections: int = 16) -> list[str]:
    """Prints a line of the table: the least disturbed of some rounds, as other work only ever makes it dearer."""
    target = Target("key", 1, server, way.path, way.headers, way.word, way.connection.name)
    cell = Cell(target, "short", connections)
    begin_load(cell, 0.5)()
    for _ in range(ROUNDS):
        before, wal = server.cpu_seconds(), _wal()
        found = begin_load(cell, SECONDS)()
        time.sleep(0.3)
        found["cpu"] = (server.cpu_seconds() - before) * 1000 / max(found["calls"], 1)
        found["wal"] = (_wal() - wal) / 1024 / max(found["calls"], 1)
        cell.rounds.append(found)
    best = min(cell.rounds, key=lambda one: one["cpu"])
    figures = [f"{best['per_second']:,.0f}", *(f"{best[name]:.2f}" for name in ("p50", "cpu", "wal"))]
    print(f"| {size:,} | {' | '.join(figures)} |", flush=True)
    return [f"{one['wrong']} wrong answers: {one['sample']}" for one in cell.rounds if one["wrong"]]


def _wal() -> int:
    """Bytes of write-ahead log since the beginning, of the whole database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
        return cursor.fetchone()[0]


def _connect(way: world.Way, url: str, size: int) -> None:
    """More connections of the same project, each with a sealed value, until there are `size`."""
    there = Connection.objects.count()
    made = [
        Connection(
            project=way.connection.project,
            name=f"more-{number}",
            endpoint=url,
            auth_method="key-based",
            interfaces=[{"url": url, "binding": "JSONRPC", "version": "1.0"}],
            given_to_all=True,
        )
        for number in range(there, size)
    ]
    Connection.objects.bulk_create(made, batch_size=1000)
    new = secrets.NewSecret("credential", 0, "x-api-key", world.KEY)
    Secret.objects.bulk_create([secrets.sealed(each, new, each.addresses(), None) for each in made], batch_size=1000)


def _fill(size: int) -> None:
    from django.db import connection

    from portal.audit import log

    columns = [*log.SIGNED, "hmac"]
    values = ", ".join(NEW.get(name, f"portal_logrow.{name}") for name in columns)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT count(*) FROM portal_logrow")
        [there] = cursor.fetchone()
        for made in range(there, size, AT_ONCE):
            statement = MORE_ROWS.format(columns=", ".join(columns), values=values)
            cursor.execute(statement, [min(AT_ONCE, size - made)])


def _say_how_large() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_table_size('portal_logrow'), pg_indexes_size('portal_logrow'), count(*) FROM portal_logrow"
        )
        table, indexes, count = cursor.fetchone()
    print(f"{table / count:.0f} + {indexes / count:.0f} bytes a row (table, indexes), {count:,} rows")
