"""Workers of the portal that can be killed and frozen, each a fork of this process: `python -m tests.soak.worker`.

On stdin `["sweep", 3]` or `["call", 2]` begins so many; a line `["begun", pid]` or `["ended", pid, signal]` on stdout
for each, `["served", what]` for each call, and `["broken", what]` for what should never happen. What they do is the
portal's own; only their user agent is changed, by which the provider knows whom it strikes.
"""

import ctypes
import json
import os
import random
import select
import signal
import sys
import threading
import time
import traceback
import uuid

import django

django.setup()

from django.db import InterfaceError, InternalError, OperationalError, connection as database  # noqa: E402, I001
from django.db.models import F, Q  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from django.utils import timezone  # noqa: E402

from connections.methods.base import CredentialUnavailable  # noqa: E402
from consent import grants, leases, sweeping  # noqa: E402
from consent.models import Grant  # noqa: E402
from portal.outbound import session  # noqa: E402

SWEEP_SECONDS, PAUSE = 5.0, 0.2
CALLERS = 5
# A caller comes for what has not much time left, so that sweeps get their share, and waits for no lease but its end.
LEFT, WAITS = timezone.timedelta(seconds=18), timezone.timedelta(seconds=2)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    begun: set[int] = set()
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 0.02)
        if ready:
            if not (line := sys.stdin.readline()):
                break
            kind, count = json.loads(line)
            begun |= {_fork(kind) for _ in range(count)}
        while begun and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            begun.discard(ended[0])
            _say("ended", ended[0], os.WTERMSIG(ended[1]) if os.WIFSIGNALED(ended[1]) else 0)
    for pid in begun:
        os.kill(pid, signal.SIGKILL)


def _fork(kind: str) -> int:
    if pid := os.fork():
        _say("begun", pid, kind)
        return pid
    try:
        # Dies with the one that made it.
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
        random.seed()
        if os.environ["SOAK_WITHOUT_LEASES"]:
            leases.take_some, leases.held = _taken_by_all, _held_by_all
        session._AGENT = str(os.getpid())
        database.settings_dict["OPTIONS"]["application_name"] = f"soak-{os.getpid()}"
        {"sweep": _sweep, "call": _call}[kind]()
    finally:
        os._exit(1)


def _taken_by_all(rows, limit, *, ahead=False) -> list:
    """What a portal would do that takes no lease: the soak must find it out."""
    found = list(rows[:limit])
    return [(row, leases.Lease(uuid.uuid4(), row.generation, time.monotonic(), False, ahead)) for row in found]


def _held_by_all(grant: Grant, lease: leases.Lease):
    return Grant.objects.filter(pk=grant.pk, generation=lease.generation, state=Grant.State.ACTIVE)


def _sweep() -> None:
    """As beat and a Celery worker would: again and again, whatever one sweep ended with."""
    while True:
        _through(lambda: sweeping.sweep(SWEEP_SECONDS))
        time.sleep(PAUSE)


def _call() -> None:
    for _ in range(CALLERS):
        threading.Thread(target=_caller, daemon=True).start()
    while True:
        time.sleep(60)


def _caller() -> None:
    while True:
        _through(_one_call)


def _through(work) -> None:
    """A database that restarts ends the work and not the worker, and so does a transaction that slept too long."""
    try:
        work()
    except (OperationalError, InterfaceError, InternalError):
        database.close()
        time.sleep(0.5)
    except BaseException:
        _say("broken", traceback.format_exc(limit=-4)[-1500:])
        time.sleep(1)


def _one_call() -> None:
    urgent = _wanted().order_by(F("lease_until").asc(nulls_last=True), "?")
    found = urgent.select_related("connection__project", "agent", "user")[:CALLERS]
    if not found:
        time.sleep(PAUSE * random.uniform(1, 2))
        return
    grant = random.choice(found)
    try:
        grants.fresh_token(grant)
        _say("served", "token")
    except grants.NeedsConsent as needs:
        _say("served", f"consent: {needs.reason}")
    except CredentialUnavailable as unavailable:
        _say("served", f"later: {unavailable.code}")


def _wanted():
    may_ask = Q(retry_at=None) | Q(retry_at__lte=Now())
    nobody_holds = Q(lease_until=None) | Q(lease_until__lte=Now() + WAITS)
    wanted = Q(expires_at__lte=Now() + LEFT) | Q(lease_until__lte=Now() + WAITS)
    return Grant.objects.filter(may_ask, nobody_holds, wanted, state=Grant.State.ACTIVE)


def _say(*what: object) -> None:
    """In one piece: all of them write to the same pipe."""
    os.write(1, (json.dumps(what) + "\n").encode())


if __name__ == "__main__":
    main()
