"""A process that refreshes grants as a worker of the portal would, and freezes or dies where it is told to.

`python -m tests.consent.worker '{"dies": "after the answer"}'`; then a line of JSON on stdin for each order
(`{"grant": id, "times": 16}`), and a line with the results on stdout for each.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import django

django.setup()

from django.db import connection as database  # noqa: E402

from connections.methods.base import CredentialUnavailable  # noqa: E402
from consent import clients, grants, leases, oauth2  # noqa: E402
from consent.models import Grant  # noqa: E402

MOST_AT_ONCE = 16


def main(options: dict) -> None:
    _shorten(options)
    _interrupt(options)
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        list(pool.map(lambda _: database.ensure_connection(), range(MOST_AT_ONCE)))
        _say("ready")
        for line in sys.stdin:
            order = json.loads(line)
            together = threading.Barrier(order["times"])
            _say(list(pool.map(lambda _: _call(order["grant"], together), range(order["times"]))))  # noqa: B023


def _call(grant_id: str, together: threading.Barrier) -> list:
    """["token", generation, its last characters] or ["consent" | "unavailable", reason]."""
    grant = Grant.objects.select_related("connection__project", "agent", "user").get(pk=grant_id)
    together.wait(20)
    try:
        token = grants.fresh_token(grant)
    except grants.NeedsConsent as needs:
        return ["consent", needs.reason]
    except CredentialUnavailable as unavailable:
        return ["unavailable", unavailable.code]
    return ["token", token.generation, token.value.reveal()]


def _shorten(options: dict) -> None:
    """A shorter lease, so that a test of what outlasts it need not take its whole length."""
    if "lease" in options:
        leases.LEASE, leases.TO_SEND = timedelta(seconds=options["lease"]), 0.5
        oauth2.DEADLINE = options["deadline"]


def _interrupt(options: dict) -> None:
    for how, what in ((signal.SIGSTOP, options.get("freezes")), (signal.SIGKILL, options.get("dies"))):
        if what == "before the send":
            # Asked for when the lease is taken and nothing is sent yet.
            clients.of = _interrupted(clients.of, how)
        elif what == "after the answer":
            oauth2.refresh = _interrupted(oauth2.refresh, how)


def _interrupted(work: Callable, how: int) -> Callable:
    def done(*arguments):
        result = work(*arguments)
        # To this thread: what is sent to the process may let it run on for a moment, past the point meant here.
        signal.pthread_kill(threading.get_ident(), how)
        return result

    return done


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
