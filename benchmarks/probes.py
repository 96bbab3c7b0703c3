"""Scheduled probes under load, with real workers, a real queue and endpoints on loopback.

    python -m benchmarks.probes many [5000]       all due at once: how long two workers take
    python -m benchmarks.probes hanging [500 50]  healthy ones beside hosts that accept and never answer
    python -m benchmarks.probes rows [1000000]    what history costs in the database

On a throw-away database; GATEHOUSE_TEST_DURABLE=1 keeps fsync on.
"""

import asyncio
import contextlib
import subprocess
import sys
import threading
import time

from benchmarks import throwaway
from benchmarks.serving import CHECKOUT

HOSTS, ANSWERS_AFTER = 100, 0.02
NOT_FOUND = b'{"jsonrpc": "2.0", "id": "1", "error": {"code": -32001, "message": "Task not found"}}'
CARD = b'{"name": "Bench", "version": "1", "url": "http://127.0.0.1:9/"}'


def main(arguments: list[str]) -> int:
    return _inside(*arguments) if throwaway.is_inside() else throwaway.run_inside("benchmarks.probes", arguments)


def _inside(what: str, *numbers: str) -> int:
    import django

    django.setup()
    {"many": many, "hanging": hanging, "rows": rows}[what](*map(int, numbers))
    return 0


def many(connections: int = 5000) -> None:
    with _answering() as port:
        urls = [f"http://127.0.1.{number % HOSTS + 1}:{port}/a2a" for number in range(connections)]
        _connect(urls, "bench")
        _all_due()
        with _workers():
            took = _until_probed(connections, "bench")
    print(f"{connections} probes on two workers: {took:.1f} s, {connections / took:.0f} a second")
    print(_states())


def hanging(healthy: int = 500, hang: int = 50) -> None:
    with _answering() as port, _silent() as silent:
        _connect([f"http://127.0.1.{number % HOSTS + 1}:{port}/a2a" for number in range(healthy)], "healthy")
        _connect([f"http://127.0.2.{number + 1}:{silent}/a2a" for number in range(hang)], "hanging")
        _all_due()
        with _workers():
            took = _until_probed(healthy, "healthy")
            print(f"{healthy} healthy ones probed {took:.1f} s after all were due, beside {hang} that hang", flush=True)
            took += _until_probed(hang, "hanging")
            print(f"all of the hanging ones after {took:.1f} s", flush=True)
            time.sleep(max(0, 330 - took))
    print(_states())
    print("probes of healthy ones:", *_worst_gap())


def rows(number: int = 1_000_000) -> None:
    from django.db import connection

    _connect([f"http://127.0.1.1:9/{each}" for each in range(1000)], "rows")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "INSERT INTO connections_probe (connection_id, at, state, reason, status, took_ms, certificate_days, count)"
            " SELECT (SELECT array_agg(id) FROM connections_connection)[1 + n %% 1000],"
            " now() - (%s - n) * interval '0.06 seconds', 'healthy', '', 200, 180, 80, 1"
            " FROM generate_series(1, %s) n",
            [number, number],
        )
        cursor.execute("VACUUM ANALYZE connections_probe")
        cursor.execute("SELECT pg_table_size('connections_probe'), pg_indexes_size('connections_probe')")
        table, indexes = cursor.fetchone()
    print(f"{table / number:.0f} + {indexes / number:.0f} bytes a row (table, indexes)")


def _connect(urls: list[str], name: str) -> None:
    from connections import secrets
    from connections.models import Connection, Secret
    from portal.projects.models import Project

    project, _ = Project.objects.get_or_create(name="bench")
    made = [
        Connection(
            project=project,
            name=f"{name}-{number}",
            endpoint=url,
            auth_method="key-based",
            interfaces=[{"url": url, "binding": "JSONRPC", "version": "1.0"}],
        )
        for number, url in enumerate(urls)
    ]
    Connection.objects.bulk_create(made)
    new = secrets.NewSecret("credential", 0, "x-api-key", "a-key-of-the-benchmark")
    Secret.objects.bulk_create([secrets.sealed(each, new, each.addresses(), None) for each in made], batch_size=500)


def _all_due() -> None:
    from django.db.models.functions import Now

    from connections.models import Watch
    from connections.watching import plan

    while plan.begin_watching():
        pass
    Watch.objects.update(due_at=Now())


@contextlib.contextmanager
def _workers():
    """Two workers of one process each, and beat, as the Procfile starts them."""
    celery = [sys.executable, "-m", "celery", "-A", "portal.celery"]
    worker = [*celery, "-q", "worker", "-Q", "probe", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    commands = [[*worker, "-n", "one@localhost"], [*worker, "-n", "two@localhost"], [*celery, "-q", "beat"]]
    running = [subprocess.Popen(command, cwd=CHECKOUT) for command in commands]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(60)


def _until_probed(number: int, name: str) -> float:
    from connections.models import Probe

    started, first = time.monotonic(), None
    while True:
        found = Probe.objects.filter(connection__name__startswith=name).values("connection").distinct().count()
        if found and first is None:
            first = time.monotonic() - started
        if found >= number:
            print(f"   the first after {first or 0:.1f} s", flush=True)
            return time.monotonic() - started
        time.sleep(1)


def _states() -> str:
    from collections import Counter

    from connections.models import Probe

    found = Probe.objects.values_list("connection__name", "state", "reason")
    return str(dict(Counter((name.partition("-")[0], state, reason) for name, state, reason in found)))


def _worst_gap() -> tuple:
    """How many there were of each, and the longest time between two of one connection."""
    from collections import defaultdict

    from connections.models import Probe

    times = defaultdict(list)
    rows = Probe.objects.filter(connection__name__startswith="healthy").order_by("at").values_list("connection", "at")
    for connection, at in rows:
        times[connection].append(at)
    gaps = [(b - a).total_seconds() for each in times.values() for a, b in zip(each, each[1:], strict=False)]
    return f"{min(map(len, times.values()))} to {max(map(len, times.values()))} each,", f"longest gap {max(gaps):.0f} s"


def _serving(handle) -> contextlib.AbstractContextManager[int]:
    @contextlib.contextmanager
    def running():
        ready, loop = threading.Event(), asyncio.new_event_loop()
        port: list[int] = []

        async def start() -> None:
            server = await asyncio.start_server(handle, "0.0.0.0", 0, backlog=1024)
            port.append(server.sockets[0].getsockname()[1])
            ready.set()

        def run() -> None:
            loop.create_task(start())
            loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        ready.wait(5)
        yield port[0]
        loop.call_soon_threadsafe(loop.stop)

    return running()


def _answering() -> contextlib.AbstractContextManager[int]:
    async def handle(reader, writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(ANSWERS_AFTER)
            body = CARD if head.startswith(b"GET") else NOT_FOUND
            length = f"Content-Length: {len(body)}\r\n".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n" + length)
            writer.write(b"\r\n" + body)
            await writer.drain()
            writer.close()

    return _serving(handle)


def _silent() -> contextlib.AbstractContextManager[int]:
    async def handle(reader, writer) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass

    return _serving(handle)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
