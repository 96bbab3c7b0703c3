"""A worker's round: takes what is due, probes many at once, and keeps what was found.

The database is spoken to from the round's own thread only, the network from the pool's. So a host that hangs holds up
one thread of the pool and nothing else, and a worker needs one database connection, however many probes it makes.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connections as databases
from django.utils import timezone

from connections.methods import methods
from connections.models import Watch
from connections.probes import interface_of
from connections.trial import Trial
from connections.watching import logged, noting, plan

logger = logging.getLogger(__name__)

# Below the queue's time limit together with the longest probe (connections.trial), which may begin in the last moment.
ROUND_SECONDS = 20.0
# A card rarely changes, and its addresses count only once somebody confirms them.
CARD_EVERY = timedelta(hours=1)


def probe_what_is_due(seconds: float = ROUND_SECONDS) -> int:
    """Probes until nothing is due, or for `seconds`; returns how many. Any number of workers may do it at once."""
    plan.begin_watching()
    with ThreadPoolExecutor(settings.PROBE_THREADS, thread_name_prefix="probe") as pool:
        return _Round(pool, time.monotonic() + seconds).go()


class _Round:
    def __init__(self, pool: ThreadPoolExecutor, ends: float) -> None:
        self.pool, self.ends = pool, ends
        self.by: UUID = uuid4()
        self.under_way: dict[Future, tuple[Watch, Trial]] = {}
        self.done, self.next_look = 0, 0.0

    def go(self) -> int:
        while self._begin_more() or self.under_way:
            ended, _ = wait(self.under_way, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in ended:
                self._end(future, *self.under_way.pop(future))
        return self.done

    def _begin_more(self) -> bool:
        """Whether anything was due. A look costs as much as a probe, so it waits until some threads are free."""
        now, free = time.monotonic(), settings.PROBE_THREADS - len(self.under_way)
        if now >= self.ends or now < self.next_look or free < min(4, settings.PROBE_THREADS):
            return False
        claimed = plan.claim(self.by, free)
        if not claimed:
            self.next_look = now + 0.5
        for watch in claimed:
            self._begin(watch)
        return bool(claimed)

    def _begin(self, watch: Watch) -> None:
        connection = watch.connection
        if not plan.is_watched(connection):
            plan.put_off(watch, self.by, plan.RESTS)
            return
        trial = Trial(connection, interface_of(connection), reads_card=_reads_card(watch), card_code=watch.card_code)
        logged.cover(watch, trial)
        try:
            rest = _begun(trial)
        except Exception as error:  # noqa: BLE001 -- one method's error must not end the round of all others
            self._our_own(error, watch)
        else:
            self.under_way[self.pool.submit(_in_thread, rest)] = watch, trial

    def _end(self, future: Future, watch: Watch, trial: Trial) -> None:
        self.done += 1
        if error := future.exception():
            self._our_own(error, watch)
        else:
            noting.note(watch.connection, trial, self.by)

    def _our_own(self, error: BaseException, watch: Watch) -> None:
        """Not the endpoint's fault, so it says nothing about the connection."""
        logger.error("A probe ended with an error of the portal's own: %s", type(error).__name__)
        plan.put_off(watch, self.by, plan.delay(watch.connection, 0))


def _begun(trial: Trial) -> Callable[[], None]:
    """Makes the credential here, where the database is, unless somebody has to be waited for; returns the rest."""
    slug = trial.connection.auth_method
    if slug in methods() and methods()[slug].may_wait:
        return trial.go
    trial.prepare()
    return trial.reach


def _reads_card(watch: Watch) -> bool:
    """Also of a failing connection: a host that hangs would hold a thread twice as long."""
    tried = watch.card_tried_at
    return tried is None or tried < max(timezone.now() - CARD_EVERY, watch.connection.changed_at)


def _in_thread(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        # Only a method that waits, or renews after a 401, has opened one.
        databases.close_all()
