"""Leases that are over: how long they wait for somebody to take over. In a thread that does nothing else."""

import threading
import time
from dataclasses import dataclass, field

from django.db import Error
from django.db import connection as database

OVERDUE = "SELECT id FROM consent_grant WHERE state = 'active' AND lease_until < now()"
# Whoever has a row locked is taking it over, or was frozen while it did.
NOBODY_AT_IT = f"{OVERDUE} FOR KEY SHARE SKIP LOCKED"
# Seconds. A machine that does not let even this thread run for longer does not let anybody take over either.
TICK, LONGEST = 0.25, 0.5


@dataclass
class Overdue:
    """How many there were, and for how many seconds the longest."""

    times: int = 0
    longest: float = 0.0
    _since: dict[str, float] = field(default_factory=dict)

    def note(self, grants: set[str], passed: float) -> None:
        """Those that are over now, `passed` seconds after the last look."""
        self.times += len(grants - self._since.keys())
        self._since = {grant: self._since[grant] + passed if grant in self._since else 0.0 for grant in grants}
        self.longest = max([self.longest, *self._since.values()])


class Watch(threading.Thread):
    """Notes what is `waiting` for somebody to take over, and what is `held` by whoever takes over as well."""

    def __init__(self, waiting: Overdue, held: Overdue) -> None:
        super().__init__(daemon=True)
        self._waiting, self._held, self._over = waiting, held, threading.Event()

    def stop(self) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Without the time in which no database answered."""
        seen_at = None
        while not self._over.wait(TICK):
            now = time.monotonic()
            passed = min(now - seen_at, LONGEST) if seen_at else 0
            try:
                self._held.note(_ids(OVERDUE), passed)
                self._waiting.note(_ids(NOBODY_AT_IT), passed)
                seen_at = now
            except Error:
                database.close()
                seen_at = None
        database.close()


def _ids(query: str) -> set[str]:
    with database.cursor() as cursor:
        cursor.execute(query)
        return {str(row[0]) for row in cursor.fetchall()}
