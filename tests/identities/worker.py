"""A process that gets tokens of identities as a web process or worker of the portal would.

`python -m tests.identities.worker '{"lease": 3, "deadline": 2}'`; then a line of JSON on stdin for each order
(`{"identity": id, "audience": name, "addresses": [...], "times": 16}`), and a line with the results on stdout for each.
"""

import json
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import django

django.setup()

from django.db import connection as database  # noqa: E402

from portal.identities import entra, tokens  # noqa: E402
from portal.identities.models import Identity, Source  # noqa: E402

MOST_AT_ONCE = 16


def main(options: dict) -> None:
    if "lease" in options:
        # Shorter, so that a test of what outlasts it need not take its whole length.
        tokens.LEASE, entra.DEADLINE = timedelta(seconds=options["lease"]), options["deadline"]
    if options.get("freezes") == "after the answer":
        tokens.SOURCES[Source.ENTRA] = _frozen
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        list(pool.map(lambda _: database.ensure_connection(), range(MOST_AT_ONCE)))
        _say("ready")
        for line in sys.stdin:
            order = json.loads(line)
            together = threading.Barrier(order["times"])
            _say(list(pool.map(lambda _: _call(order, together), range(order["times"]))))  # noqa: B023


def _call(order: dict, together: threading.Barrier) -> list:
    """["token", generation, value] or ["unavailable", code]."""
    identity = Identity.objects.select_related("project").get(pk=order["identity"])
    together.wait(20)
    try:
        token = tokens.access_token(identity, order["audience"], order["addresses"])
    except tokens.TokenUnavailable as unavailable:
        return ["unavailable", unavailable.code]
    return ["token", token.generation, token.value.reveal()]


def _frozen(*arguments):
    obtained = entra.obtain(*arguments)
    # To this thread: what is sent to the process may let it run on for a moment.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    return obtained


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
