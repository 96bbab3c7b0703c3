"""Kills and freezes workers at named steps of a refresh, from outside: nothing in the portal helps with it.

What happens at the provider is seen there (provider.py). What happens in the database is seen by a trigger: before a
commit it stands still at an advisory lock while somebody holds that, after a commit it has notified. It also counts
how often new tokens were kept, which is known for certain that way: the count is committed with them.
"""

import contextlib
import time
from dataclasses import dataclass

import psycopg

from tests.soak import signals
from tests.soak.provider import NOBODY_CAME, POINTS
from tests.soak.providers import Running
from tests.soak.signals import KILLED

LOCKS = 7411
WRITTEN = {"lease": 1, "tokens": 2, "end": 3, "failure": 4}
TRIGGER = """
    CREATE TABLE soak_kept (grant_id uuid NOT NULL);
    CREATE INDEX ON soak_kept (grant_id);
    CREATE FUNCTION soak_step() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE step int := CASE
        WHEN NEW.state <> OLD.state THEN 3
        WHEN NEW.generation > OLD.generation THEN 2
        WHEN NEW.lease_by IS NOT NULL AND NEW.lease_by IS DISTINCT FROM OLD.lease_by THEN 1
        WHEN NEW.lease_by IS NULL AND OLD.lease_by IS NOT NULL THEN 4 END;
    BEGIN
        IF step = 2 THEN
            INSERT INTO soak_kept VALUES (NEW.id);
        END IF;
        IF step IS NOT NULL AND current_setting('application_name') LIKE 'soak-%' THEN
            PERFORM pg_advisory_xact_lock_shared(7411, step);
            PERFORM pg_notify('soak', step || ' ' || current_setting('application_name'));
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER soak_step BEFORE UPDATE ON consent_grant FOR EACH ROW EXECUTE FUNCTION soak_step();
"""
STANDING_STILL = """
    SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND NOT granted AND classid = %s AND objid = %s AND application_name LIKE 'soak-%%'
"""


KEPT = "SELECT count(*) FROM soak_kept WHERE grant_id = %s"
FORGET = "DELETE FROM soak_kept WHERE grant_id = %s"


@dataclass(frozen=True)
class Step:
    """One point of a refresh. `written`: what was written there; `then` what becomes of it in the database."""

    name: str
    written: str = ""
    then: str = ""

    def strike(self, how: str, database_url: str, provider: Running) -> dict:
        """{"pid": …, "at": …} of the process that was struck; {} where none came in time."""
        if not self.written:
            return provider.strike(self.name, how)
        with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as database:
            if self.then == "committed":
                return self._after_the_commit(database, how)
            return self._before_the_commit(database, how)

    def _before_the_commit(self, database: psycopg.Connection, how: str) -> dict:
        lock = [LOCKS, WRITTEN[self.written]]
        database.execute("SELECT pg_advisory_lock(%s, %s)", lock)
        until = time.monotonic() + NOBODY_CAME
        while time.monotonic() < until:
            for backend, name in database.execute(STANDING_STILL, lock).fetchall():
                if struck := _struck(_pid(name), how):
                    if self.then == "rolled back" and how == KILLED:
                        with contextlib.suppress(psycopg.Error):
                            database.execute("SELECT pg_terminate_backend(%s, 1000)", [backend])
                    return struck
            time.sleep(0.01)
        return {}

    def _after_the_commit(self, database: psycopg.Connection, how: str) -> dict:
        database.execute("LISTEN soak")
        until = time.monotonic() + NOBODY_CAME
        while time.monotonic() < until:
            for told in database.notifies(timeout=0.5, stop_after=1):
                step, name = told.payload.split(" ")
                if int(step) == WRITTEN[self.written] and (struck := _struck(_pid(name), how)):
                    return struck
        return {}


# In the order of a refresh. The last four are its other ends, and the second way in which tokens can be kept.
STEPS = (
    Step("lease written, not committed", "lease", "rolled back"),
    Step("lease committed", "lease", "committed"),
    *(Step(point) for point in POINTS),
    Step("tokens written, rolled back", "tokens", "rolled back"),
    Step("tokens written, committed unseen", "tokens", "left to itself"),
    Step("tokens committed", "tokens", "committed"),
    Step("end written, not committed", "end", "rolled back"),
    Step("failure written, not committed", "failure", "rolled back"),
)


def _pid(name: str) -> int:
    return int(name.removeprefix("soak-"))


def _struck(pid: int, how: str) -> dict:
    at = time.time()
    return {"pid": pid, "at": at} if signals.send(pid, signals.SIGNALS[how]) else {}
