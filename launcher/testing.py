"""make test: pytest on the database of DATABASE_URL or, without one, on an embedded throw-away cluster."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.foreground import foreground
from launcher.places import var_directory
from launcher.postgres import Cluster
from launcher.private import private_directory
from launcher.refusal import Refusal
from launcher.surroundings import Environment, for_tests

_AT_ONCE = 8


def test(checkout: Path, arguments: list[str]) -> int:
    """Run pytest with the arguments; returns its exit code.

    Without a path among them pytest runs everything, and shares the cores: tests/distribution.py says how.
    GATEHOUSE_TEST_DURABLE=1 keeps fsync on, for a test that pulls the plug.
    """
    with test_environment(checkout) as environment:
        return foreground([sys.executable, "-m", "pytest", *arguments], environment, checkout)


@contextmanager
def test_environment(checkout: Path) -> Iterator[Environment]:
    """The environment of a test run, whose database answers until the block ends."""
    given, var = dict(os.environ), var_directory(checkout)
    if url := given.get("DATABASE_URL"):
        yield for_tests(given, private_directory(var / "test"), url)
        return
    place, cluster = _free_cluster(var)
    with cluster:
        yield for_tests(given, place, cluster.url)


def _free_cluster(var: Path) -> tuple[Path, Cluster]:
    # Kept from run to run, as making one takes a second; a second run at the same time gets its own.
    durable = os.environ.get("GATEHOUSE_TEST_DURABLE") == "1"
    for number in range(1, _AT_ONCE + 1):
        place = private_directory(var / ("test" if number == 1 else f"test-{number}"))
        cluster = Cluster(place / "postgres", durable=durable)
        if cluster.lock(patience=0):
            return place, cluster
    raise Refusal(f"{_AT_ONCE} test runs use this checkout already. Wait for one to end.")
