"""What one gateway process bears, and what it costs when everything has grown; on loopback, each within minutes.

    python -m benchmarks.limits streams [1000]            so many streams open in one process: how much memory
    python -m benchmarks.limits kills [100 [seconds]]     kill -9 under load: no answered call without its row
    python -m benchmarks.limits connections [10000]       the cost of a call while connections grow
    python -m benchmarks.limits rows [1000000]            the cost of a call while the access log grows
    python -m benchmarks.limits processes [4]             the cost of a call with 1 and more processes

How secrets are resealed under load is measured by tests/vault/test_reseal_under_load.py, which says how.
Each prints what it found, with the load of the machine, and fails where something was wrong.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from benchmarks import serving, throwaway


def main(arguments: list[str]) -> int:
    if not throwaway.is_inside():
        return throwaway.run_inside("benchmarks.limits", arguments)
    import django

    django.setup()
    from benchmarks import growth, kills, streams

    what, *numbers = arguments
    ways = {
        "streams": streams.measure,
        "kills": kills.measure,
        "connections": growth.of_connections,
        "rows": growth.of_rows,
        "processes": growth.of_processes,
    }
    problems = ways[what](*map(int, numbers))
    print(f"Load average {os.getloadavg()[0]:.1f}.")
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


@contextlib.contextmanager
def world_with_endpoint() -> Iterator[tuple]:
    """(a key-based way through the gateway, the owner, the endpoint's URL)."""
    from benchmarks import world

    port = serving.free_port()
    with serving.endpoint(port, dict(os.environ) | {"BENCH_CREDENTIALS": world.CREDENTIALS}):
        url = f"http://127.0.0.1:{port}/a2a"
        owner = world.make_owner(url)
        yield world.make_way("key", url, owner), owner, url


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
