"""The only writer of the access log.

`record` writes one act, in the caller's transaction where there is one, so that a change and its row commit together
or not at all. `Committer` writes the two rows of a call: rows of concurrent calls share one commit.

Each row carries an HMAC over all its columns, its writer and its counter, so that a changed row, a copied one or a gap
shows. A writer is one database connection. Its counter advances only when a commit is confirmed; after an uncertain
commit the connection is gone, and with it the writer.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection, transaction
from uuid_utils import uuid7

from portal import vault
from portal.audit.context import current_request
from portal.audit.events import CALL, Event, Outcome
from portal.audit.models import LastUse, LogKey, LogRow

logger = logging.getLogger(__name__)

COLUMNS = [f.attname for f in LogRow._meta.fields if f.attname != "id"]
SIGNED = [name for name in COLUMNS if name != "hmac"]
TEXTS = {f.attname: f.max_length for f in LogRow._meta.fields if f.get_internal_type() in ("CharField", "TextField")}
# As a statement with a placeholder for each value, composing it costs more than all else about a row.
COPY = f"COPY {LogRow._meta.db_table} ({', '.join([*SIGNED, 'hmac'])}) FROM STDIN"
EMPTY = {name: ("" if name in TEXTS else None) for name in COLUMNS}
IDS = [SIGNED.index(f.attname) for f in LogRow._meta.fields if f.get_internal_type() == "UUIDField"]
TIME = SIGNED.index("time")
ATTEMPT, OUTCOME, ACT = LogRow.Kind.ATTEMPT.value, LogRow.Kind.OUTCOME.value, LogRow.Kind.ACT.value


@dataclass(frozen=True)
class Actor:
    """Who did it: `user`, `agent_key` or `system`, with the name as it was at that moment."""

    kind: str
    id: uuid.UUID | None
    name: str

    @classmethod
    def of(cls, user) -> "Actor":
        return cls("user", user.id, str(user)) if user.is_authenticated else cls("nobody", None, "")


SYSTEM = Actor("system", None, "Gatehouse")


def row_of(event: Event, by: Actor, *, outcome: Outcome = Outcome.SUCCEEDED, **columns: Any) -> dict[str, Any]:
    """The columns of one row, not yet numbered or authenticated; ids as text, because its outcome copies them.

    `project`, `agent`, `connection` and `on_behalf_of` are objects with `id` and a name; `details` is a dict of plain
    values without secrets. Text is cut to its column and loses NUL, which PostgreSQL refuses (T39).
    """
    row = EMPTY | {
        "uid": str(uuid7()),
        "time": datetime.now(UTC),
        "kind": ACT,
        "event": event.tag,
        "outcome": outcome.value,
        "request_id": current_request.get(),
        "actor_kind": by.kind,
        "actor_id": by.id and str(by.id),
        "actor_name": by.name,
    }
    for name in ("project", "agent", "connection"):
        thing = columns.pop(name, None)
        if thing is not None:
            row[f"{name}_id"], row[f"{name}_name"] = str(thing.id), thing.name
    person = columns.pop("on_behalf_of", None)
    if person is not None:
        row["on_behalf_of_id"], row["on_behalf_of_name"] = str(person.id), str(person)
    _add(row, columns)
    for name, length in TEXTS.items():
        if row[name]:
            row[name] = str(row[name]).replace("\0", "\ufffd")[:length]
    return row


def _add(row: dict[str, Any], columns: dict[str, Any]) -> None:
    details = columns.pop("details", None)
    row.update(columns)
    if details:
        row["details"] = json.dumps(details, sort_keys=True, default=str)


def record(event: Event, by: Actor, **columns: Any) -> None:
    """Writes one act now. Inside a transaction the row commits with it; columns as for `row_of`."""
    _append(row_of(event, by, **columns))


def begin(event: Event, by: Actor, **columns: Any) -> Callable[..., None]:
    """Commits an attempt for an act that opens a credential, as the portal's own test does; columns as for `row_of`.

    Returns `finish(outcome, **columns)`, which writes how it ended. Without it the sweep writes `unknown`. Not to be
    called inside a transaction: the row must be durable before the act.
    """
    attempt = _attempt(event, by, **columns)
    with transaction.atomic(durable=True):
        _append(attempt)

    def finish(outcome: Outcome, **more: Any) -> None:
        _append(outcome_of(attempt, outcome, **more))

    return finish


def _append(row: dict) -> None:
    with transaction.atomic():
        writer = _writer()
        _insert([row], writer, after=writer.confirmed + writer.pending())
        transaction.on_commit(writer.confirm)


class Writer:
    """One database connection's identity in the log, and how many of its rows are known to be committed."""

    def __init__(self) -> None:
        self.id = str(uuid.uuid4())
        self.confirmed = 0

    def confirm(self) -> None:
        self.confirmed += 1

    def pending(self) -> int:
        """Rows of the open transaction; exact, because Django drops the hooks of a savepoint that was rolled back."""
        return sum(1 for _, hook, *_ in connection.run_on_commit if hook == self.confirm)


_writers: WeakKeyDictionary[Any, Writer] = WeakKeyDictionary()


def _writer() -> Writer:
    connection.ensure_connection()
    return _writers.setdefault(connection.connection, Writer())


def _insert(rows: list[dict], writer: Writer, after: int) -> None:
    """One statement, and so all of them or none, also outside of a transaction."""
    key_id, key = _log_key()
    for counter, row in enumerate(rows, start=after + 1):
        row["log_key"], row["writer"], row["counter"] = key_id, writer.id, counter
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(COPY) as copy:
        for row in rows:
            plain = _plain(row)
            copy.write_row([*plain, authenticate(plain, key)])


def _plain(row: Mapping[str, Any]) -> list[str | int | None]:
    """The columns in the order of the table, as they are authenticated and as PostgreSQL reads them."""
    plain = list(_signed(row))
    for at in IDS:
        if plain[at] is not None:
            plain[at] = str(plain[at])
    plain[TIME] = plain[TIME].astimezone(UTC).isoformat(timespec="microseconds")
    return plain


def authenticate(plain: list[str | int | None], key: bytes) -> bytes:
    """HMAC-SHA256 over the row's canonical bytes: a JSON list of its columns in the order of the table."""
    return hmac.digest(key, _canonical(plain).encode(), "sha256")


# Made once: each row of each call comes through here.
_canonical = json.JSONEncoder(separators=(",", ":")).encode
_signed = itemgetter(*SIGNED)


def verify(row: LogRow) -> bool:
    """Whether the stored row still is what was written."""
    stored = LogKey.objects.get(id=row.log_key)
    expected = authenticate(_plain(vars(row)), _unwrapped(stored))
    return hmac.compare_digest(bytes(row.hmac), expected)


_keys: dict[uuid.UUID, bytes] = {}
_current_key: list[uuid.UUID] = []


def _log_key() -> tuple[uuid.UUID, bytes]:
    if _current_key:
        return _current_key[0], _keys[_current_key[0]]
    stored = LogKey.objects.order_by("-created_at").first() or _make_log_key()
    # A key made in a transaction that is rolled back is gone: rows signed with it could never be verified.
    transaction.on_commit(lambda: _current_key.__setitem__(slice(None), [stored.id]))
    return stored.id, _unwrapped(stored)


def _make_log_key() -> LogKey:
    key_id, wrapped = vault.wrap(os.urandom(32))
    return LogKey.objects.create(key_id=key_id, wrapped=wrapped)


def _unwrapped(stored: LogKey) -> bytes:
    if stored.id not in _keys:
        _keys[stored.id] = vault.unwrap(stored.key_id, stored.wrapped).ljust(32, b"\0")
    return _keys[stored.id]


@dataclass
class _Entry:
    row: dict
    used: tuple[uuid.UUID, ...]
    done: asyncio.Future | None
    tried: bool = False


class Committer:
    """Writes calls' rows from a thread of its own; whatever waits is written in one transaction.

    An attempt's future resolves when its row is durable; an outcome follows within a second. When the database refuses,
    waiting attempts fail (and their calls are refused), outcomes are kept and tried again.
    """

    BATCH = 256
    OUTCOME_SECONDS = 0.25
    KEPT_OUTCOMES = 10_000
    LAST_USE_SECONDS = 60.0

    def __init__(
        self, on_failure: Callable[[], None] = lambda: None, on_commit: Callable[[int], None] = lambda rows: None
    ) -> None:
        self._waiting: deque[_Entry] = deque()
        self._wake = threading.Condition()
        self._urgent = False
        self._stopping = False
        self._writing = 0
        self._last_uses: dict[uuid.UUID, float] = {}
        self._on_failure, self._on_commit = on_failure, on_commit
        self._thread = threading.Thread(target=self._run, name="log-committer", daemon=True)
        self._thread.start()

    def attempt(self, row: dict, used: Iterable[uuid.UUID] = ()) -> asyncio.Future:
        """Queues an attempt, or another row that somebody waits for, from an event loop.

        The future's result is None once the row is committed, or the failure.
        """
        done = asyncio.get_running_loop().create_future()
        self._put(_Entry(row, tuple(used), done), urgent=True)
        return done

    def outcome(self, row: dict, used: Iterable[uuid.UUID] = ()) -> None:
        self._put(_Entry(row, tuple(used), None), urgent=False)

    @property
    def waiting(self) -> int:
        """How many rows are not committed yet; those of a commit under way are not counted."""
        return len(self._waiting)

    def close(self, seconds: float = 5.0) -> None:
        """Writes what waits and ends the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(seconds)
        if self._thread.is_alive():
            # Each is an outcome, which the sweep writes as unknown, or was refused: nobody was answered without a row.
            left = self.waiting + self._writing
            logger.error("The access log did not take what was left at the end in time: %s rows.", left)

    def _put(self, entry: _Entry, urgent: bool) -> None:
        with self._wake:
            self._waiting.append(entry)
            if (urgent and not self._urgent) or len(self._waiting) == 1:
                self._wake.notify()
            self._urgent = self._urgent or urgent

    def _run(self) -> None:
        while True:
            batch = self._take()
            self._writing = len(batch)
            if batch:
                self._commit(batch)
            elif self._stopping:
                connection.close()
                return

    def _take(self) -> list[_Entry]:
        with self._wake:
            if not self._waiting and not self._stopping:
                self._wake.wait(1.0)
            if not self._urgent and self._waiting and not self._stopping:
                self._wake.wait(self.OUTCOME_SECONDS)
            batch = [self._waiting.popleft() for _ in range(min(self.BATCH, len(self._waiting)))]
            self._urgent = any(entry.done for entry in self._waiting)
            return batch

    def _commit(self, batch: list[_Entry]) -> None:
        try:
            writer, count = self._write(batch)
        except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            # Whether the commit arrived is not known: this connection, and with it the writer, ends here.
            logger.error("The access log could not be written: %s", type(error).__name__)
            connection.close()
            self._fail(batch)
            return
        writer.confirmed += count
        _tell(batch, failed=False)
        self._on_commit(count)

    def _write(self, batch: list[_Entry]) -> tuple[Writer, int]:
        due = self._uses_due(batch)
        # The rows are one statement, and commit by themselves: calls wait for two round trips less.
        with transaction.atomic() if due else nullcontext():
            writer = _writer()
            rows = _not_there_yet(batch)
            if rows:
                _insert(rows, writer, after=writer.confirmed)
            if due:
                self._note_uses(due)
        return writer, len(rows)

    def _fail(self, batch: list[_Entry]) -> None:
        self._on_failure()
        attempts = [replace(entry, tried=True) for entry in batch if entry.done]
        outcomes = [replace(entry, tried=True) for entry in batch if not entry.done]
        with self._wake:
            self._waiting.extendleft(reversed(outcomes[: max(0, self.KEPT_OUTCOMES - len(self._waiting))]))
        if attempts and outcomes:
            # An outcome that can't be written must not keep attempts from it: these get a try of their own.
            self._commit(attempts)
            return
        _tell(attempts, failed=True)
        time.sleep(0.1)

    def _uses_due(self, batch: list[_Entry]) -> set[uuid.UUID]:
        before = time.monotonic() - self.LAST_USE_SECONDS
        subjects = {subject for entry in batch for subject in entry.used}
        return {each for each in subjects if self._last_uses.get(each, before) <= before}

    def _note_uses(self, due: set[uuid.UUID]) -> None:
        # Sorted, so that two processes never wait for each other's rows.
        LastUse.objects.bulk_create(
            [LastUse(subject=subject, at=datetime.now(UTC)) for subject in sorted(due)],
            update_conflicts=True,
            unique_fields=["subject"],
            update_fields=["at"],
        )
        self._last_uses.update(dict.fromkeys(due, time.monotonic()))


def _tell(batch: list[_Entry], *, failed: bool) -> None:
    """In one step of the loop for all who wait: a step for each costs more than its row."""
    waiting = [entry.done for entry in batch if entry.done]
    if waiting:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and whoever waited with it
            waiting[0].get_loop().call_soon_threadsafe(_resolve, waiting, failed)


def _resolve(waiting: list[asyncio.Future], failed: bool) -> None:
    for done in waiting:
        if done.cancelled():  # its caller has left
            continue
        if failed:
            done.set_exception(LogUnavailable())
        else:
            done.set_result(None)


def _not_there_yet(batch: list[_Entry]) -> list[dict]:
    """A commit whose answer was lost may have arrived after all; such a row is not written twice."""
    tried = [entry.row["uid"] for entry in batch if entry.tried]
    there = set(map(str, LogRow.objects.filter(uid__in=tried).values_list("uid", flat=True))) if tried else set()
    return [entry.row for entry in batch if entry.row["uid"] not in there]


class LogUnavailable(Exception):
    """The access log can't be written, so nothing may be done that would have to be in it."""


SWEEP_LOCK = 0x6A7E_106


def close_open_attempts(after: timedelta, limit: int = 500) -> int:
    """Inserts an `unknown` outcome for attempts that got none within `after`; returns how many.

    Safe to run twice at once: the second finds the lock taken and leaves.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SWEEP_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        open_attempts = _attempts_without_outcome(datetime.now(UTC) - after, limit)
        if open_attempts:
            writer = _writer()
            rows = [outcome_of(attempt, Outcome.UNKNOWN, reason="no_outcome") for attempt in open_attempts]
            _insert(rows, writer, after=writer.confirmed + writer.pending())
            for _ in rows:
                transaction.on_commit(writer.confirm)
        return len(open_attempts)


def _attempts_without_outcome(before: datetime, limit: int) -> list[dict]:
    outcomes = LogRow.objects.filter(kind=LogRow.Kind.OUTCOME).values("call_id")
    attempts = LogRow.objects.filter(
        kind=LogRow.Kind.ATTEMPT, time__lt=before, time__gt=before - timedelta(days=2)
    ).exclude(call_id__in=outcomes.filter(time__gt=before - timedelta(days=2)))
    return list(attempts.order_by("id").values(*COLUMNS)[:limit])


COPIED = [
    name
    for name in SIGNED
    if name.startswith(("actor_", "on_behalf_of_", "project_", "agent_", "connection_"))
    or name in ("event", "call_id", "request_id", "auth_method", "method", "binding", "protocol", "target")
]


def outcome_of(attempt: dict, outcome: Outcome, **columns: Any) -> dict[str, Any]:
    """The outcome row of an attempt: its copies, and how it ended (status, duration in ms, sizes in bytes)."""
    row = EMPTY | {name: attempt[name] for name in COPIED}
    row.update(uid=str(uuid7()), time=datetime.now(UTC), kind=OUTCOME, outcome=outcome.value)
    _add(row, columns)
    return row


def attempt_of(by: Actor, **columns: Any) -> dict[str, Any]:
    """The attempt row of one call through a connection, with a call id of its own."""
    return _attempt(CALL, by, **columns)


def _attempt(event: Event, by: Actor, **columns: Any) -> dict[str, Any]:
    return row_of(event, by, outcome=Outcome.IN_PROGRESS, kind=ATTEMPT, call_id=str(uuid7()), **columns)
