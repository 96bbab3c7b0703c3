"""A database of its own for one run of a benchmark: made, migrated, and taken away again. fsync stays on."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks import serving
from benchmarks.serving import CHECKOUT


def is_inside() -> bool:
    return os.environ.get("GATEHOUSE_BENCH") == "1"


def run_inside(module: str, arguments: list[str], **more: str) -> int:
    """Runs `python -m <module>` once more, on such a database; `is_inside` says so there. Returns its exit code."""
    os.environ["GATEHOUSE_TEST_DURABLE"] = "1"
    from launcher.stopping import stop_on_signals
    from launcher.testing import test_environment

    stop_on_signals()
    with test_environment(CHECKOUT) as environment, contextlib.ExitStack() as stack:
        name = f"bench_{os.getpid()}"
        stack.enter_context(_database(environment["DATABASE_URL"], name))
        environment |= {
            "GATEHOUSE_BENCH": "1",
            "ALLOWED_OUTBOUND_NETWORKS": "127.0.0.0/8",
            "LOG_LEVEL": "WARNING",
            "UVICORN_LOG_LEVEL": "warning",
            "PUBLIC_URL": f"http://127.0.0.1:{serving.free_port()}",
            "DATABASE_URL": _named(environment["DATABASE_URL"], name),
            "GATEHOUSE_VAR": stack.enter_context(tempfile.TemporaryDirectory()),
            **more,
        }
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=environment, cwd=CHECKOUT, check=True)
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, env=environment, cwd=CHECKOUT).returncode


@contextlib.contextmanager
def _database(url: str, name: str) -> Iterator[None]:
    import psycopg

    def run(sentence: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sentence)

    run(f"CREATE DATABASE {name}")
    try:
        yield
    finally:
        run(f"DROP DATABASE {name} WITH (FORCE)")


def _named(url: str, name: str) -> str:
    before, mark, query = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}{mark}{query}"
