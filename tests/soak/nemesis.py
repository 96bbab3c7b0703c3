"""What befalls the workers and the database, one thing after the other."""

import itertools
import os
import signal
import threading

import psycopg

from consent import leases
from launcher.postgres import Cluster
from tests.soak.crew import Crew
from tests.soak.findings import Findings, Size
from tests.soak.providers import Running
from tests.soak.signals import FROZEN, KILLED
from tests.soak.strikes import STEPS, Step

MOST_FROZEN = 6  # at once: each holds its connections to the database
RESTARTS = ("in order", "at once")


class Nemesis(threading.Thread):
    """Strikes until its plan is done, and then until the leases of those it struck last are over; or until `stop`."""

    def __init__(self, size: Size, found: Findings, crew: Crew, providers: list[Running]) -> None:
        super().__init__(daemon=True)
        self.is_done = False
        self._size, self._found, self._crew, self._providers = size, found, crew, providers
        self._over, self._restarted, self._to_restart = threading.Event(), threading.Event(), ""

    def stop(self) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Where nobody came to a step, it is tried again later."""
        plan = self._plan()
        while plan and not self._over.wait(self._size.strike_every):
            step, how = plan.pop(0)
            if step is None:
                self._ask_for_a_restart(how)
            elif (how == FROZEN and self._crew.frozen >= MOST_FROZEN) or not self._struck(step, how):
                plan.append((step, how))
        self._over.wait(leases.LEASE.total_seconds() + 5)
        self.is_done = True

    def _plan(self) -> list[tuple[Step | None, str]]:
        """Every step in turn, so that an end before its time has left none out; restarts evenly between."""
        freezes = [(step, FROZEN) for step in STEPS if step.name in self._size.freezes_at] * self._size.freezes
        kills = [(step, KILLED) for step in STEPS] * self._size.strikes
        strikes = [each for pair in itertools.zip_longest(kills, freezes) for each in pair if each]
        for number in range(self._size.restarts, 0, -1):
            place = len(strikes) * number // (self._size.restarts + 1)
            strikes.insert(place, (None, RESTARTS[number % 2]))
        return strikes

    def _struck(self, step: Step, how: str) -> bool:
        provider = self._providers[self._found.strikes.total() % len(self._providers)]
        try:
            struck = step.strike(how, os.environ["DATABASE_URL"], provider)
        except psycopg.Error:
            return False
        if struck:
            self._found.strikes[step.name, how] += 1
            self._crew.note(struck["pid"], struck["at"], how == FROZEN)
        return bool(struck)

    # The database

    def _ask_for_a_restart(self, how: str) -> None:
        self._restarted.clear()
        self._to_restart = how
        while not (self._over.is_set() or self._restarted.wait(0.5)):
            pass

    def restart_if_it_is_time(self, cluster: Cluster) -> None:
        """For the main thread: PostgreSQL ends with the thread that began it (launcher.children).

        Cut off in the middle, from which it recovers at the next start; or after it has ended the sessions.
        """
        if not (how := self._to_restart):
            return
        if how == "at once":
            os.kill(int((cluster.directory / "data/postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        cluster.__exit__()
        assert cluster.lock()
        cluster.__enter__()
        self._found.restarts[how] += 1
        self._to_restart = ""
        self._restarted.set()
