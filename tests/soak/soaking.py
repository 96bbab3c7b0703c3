"""Refreshes in volume: workers are killed and frozen at every step, the database restarts, the providers misbehave.

While it lasts, whoever lost a consent to a fault gives it again, so that the number of grants stays the same. At the
end faults and strikes stop, every grant is asked for once more, and all of them are held against the ledgers.
"""

import time
from collections.abc import Callable

from django.db import Error, transaction
from django.db import connection as database
from django.utils import timezone

from consent.models import Grant
from launcher.postgres import Cluster
from tests.soak import oracle, world
from tests.soak.crew import Crew
from tests.soak.findings import Findings, Size
from tests.soak.nemesis import Nemesis
from tests.soak.providers import Running
from tests.soak.strikes import FORGET, KEPT, TRIGGER
from tests.soak.watching import Watch

TICK, JUDGED_EVERY, SAID_EVERY, SETTLED_WITHIN = 0.25, 5.0, 15.0, 120.0
HURRY = """
    UPDATE consent_grant SET expires_at = now() + interval '1 second' * (random() * 20 - 2), refresh_due_at = now()
    WHERE id IN (
        SELECT id FROM consent_grant WHERE state = 'active' AND lease_until IS NULL AND refresh_error = ''
        AND expires_at > now() + interval '30 seconds' ORDER BY random() LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
# Everything ends a second ago, and no pause holds any more.
ASK_ALL = """
    UPDATE consent_grant SET expires_at = now() - interval '1 second', refresh_due_at = now(), retry_at = NULL
    WHERE state = 'active'
"""


class Soak:
    def __init__(self, size: Size, cluster: Cluster, crew: Crew, providers: dict[Running, bool]) -> None:
        """`providers`: whether each has a grace."""
        self.size, self.crew, self.found = size, crew, Findings()
        self._cluster, self._graces = cluster, providers
        self._nemesis = Nemesis(size, self.found, crew, list(providers))
        self._family: dict[str, tuple[Running, str]] = {}
        self._watch = Watch(self.found.waiting, self.found.held)

    def populate(self, grants_at_each_door: int) -> None:
        with database.cursor() as cursor:
            cursor.execute(TRIGGER)
        agent = world.agent("soak")
        for provider in self._graces:
            given = world.people_at(provider, agent, grants_at_each_door)
            self._family |= {grant: (provider, family) for grant, family in given.items()}

    def run(self, say: Callable[[str], None]) -> Findings:
        began = time.monotonic()
        self._nemesis.start()
        self._watch.start()
        try:
            self._while_it_lasts(say)
        finally:
            self._nemesis.stop()
            self._watch.stop()
        self._settle(say)
        self.found.seconds = time.monotonic() - began
        return self.found

    def ledgers(self) -> dict[Running, dict]:
        return {provider: provider.ledger() for provider in self._graces}

    # What is looked at meanwhile

    def _while_it_lasts(self, say: Callable[[str], None]) -> None:
        until = time.monotonic() + self.size.seconds
        hurried = judged = said = time.monotonic()
        while time.monotonic() < until and not (self.found.rotations >= self.size.refreshes and self._nemesis.is_done):
            time.sleep(TICK)
            self.crew.thaw()
            self._nemesis.restart_if_it_is_time(self._cluster)
            now = time.monotonic()
            try:
                if now - hurried >= 1:
                    hurried = now
                    self._hurry()
                if now - judged >= JUDGED_EVERY:
                    judged = now
                    self._judge_ended()
            except Error:
                database.close()
            if now - said >= SAID_EVERY:
                said = now
                say(self._progress(until - now))

    def _hurry(self) -> None:
        if self.size.hurry:
            with database.cursor() as cursor:
                cursor.execute(HURRY, [self.size.hurry])

    def _judge_ended(self) -> None:
        """Ends are held against the ledgers, and their people consent again."""
        rows = list(Grant.objects.filter(state=Grant.State.NEEDS_CONSENT).select_related("connection__project"))
        ledgers = self.ledgers()
        for row in rows:
            provider, name = self._family[str(row.pk)]
            family, has_grace = ledgers[provider][name], self._graces[provider]
            verdict = oracle.of_ended(row.reason, self._kept(row), family, has_grace, self.crew.struck)
            self._judged(provider, family, *verdict)
            self._consent_again(row, provider)
        self.found.rotations = sum(family["newest"] for ledger in ledgers.values() for family in ledger.values())

    def _kept(self, row: Grant) -> int:
        with database.cursor() as cursor:
            cursor.execute(KEPT, [row.pk])
            return cursor.fetchone()[0]

    def _consent_again(self, row: Grant, provider: Running) -> None:
        [family] = provider.families(1)
        with transaction.atomic(), database.cursor() as cursor:
            world.consent_again(row, family)
            cursor.execute(FORGET, [row.pk])
        self._family[str(row.pk)] = provider, family

    def _judged(self, provider: Running, family: dict, verdict: str, why: str) -> None:
        self.found.verdicts[provider.name, verdict] += 1
        if verdict == oracle.LOST:
            last = [
                request | {"its process was struck": self.crew.struck.of(request)} for request in family["requests"]
            ]
            self.found.losses.append(f"{provider.name}: {why}; its last requests: {last[-4:]}")

    def _progress(self, left: float) -> str:
        lost = sum(count for (_, verdict), count in self.found.verdicts.items() if verdict == oracle.LOST)
        return (
            f"{self.found.rotations} rotations, {self.found.strikes.total()} strikes, "
            f"{self.found.restarts.total()} restarts, {lost} lost, "
            f"longest take-over {self.found.waiting.longest:.1f} s, {left:.0f} s left at most"
        )

    # The end

    def _settle(self, say: Callable[[str], None]) -> None:
        """No more faults; who is frozen goes on; every grant is asked for once more; then all are judged."""
        for provider in self._graces:
            provider.calm()
        self.crew.thaw(everybody=True)
        until = time.monotonic() + SETTLED_WITHIN
        self._until(lambda: self.crew.thaw() or not self.crew.is_thawing, until)
        self._until(lambda: not Grant.objects.exclude(lease_until=None).filter(state="active").exists(), until)
        with database.cursor() as cursor:
            cursor.execute(ASK_ALL)
        say("every grant is asked for once more")
        self._until(lambda: not Grant.objects.filter(state="active", expires_at__lt=timezone.now()).exists(), until)
        self._judge_ended()
        self._judge_active()

    def _until(self, holds: Callable[[], bool], until: float) -> None:
        while not holds():
            if time.monotonic() > until:
                self.found.losses.append(f"not settled within {SETTLED_WITHIN:.0f} seconds")
                return
            time.sleep(TICK)

    def _judge_active(self) -> None:
        ledgers = self.ledgers()
        for row in Grant.objects.filter(state=Grant.State.ACTIVE).select_related("connection__project"):
            provider, name = self._family[str(row.pk)]
            family = ledgers[provider][name]
            self._judged(provider, family, *oracle.of_active(world.held_by(row), name, family))
