"""The database: does it answer, is it the right version, is everything in it, and may this role do too much?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from portal.audit.models import LogRow
from portal.doctor.findings import Finding, broken, look, ok

OLDEST_VERSION = 15
NOTICEABLE, TOO_MUCH = timedelta(seconds=5), timedelta(minutes=2)
LOG = LogRow._meta.db_table
TRIGGER = "log_rows_are_only_inserted"


def answers() -> Finding:
    try:
        connection.ensure_connection()
        _one("SELECT 1")
    except DatabaseError:
        connection.close()
        return broken(
            "database",
            "It does not answer, or does not let this role in.",
            "Check DATABASE_URL, that the server runs, that it can be reached from here, and its pg_hba.conf.",
        )
    return ok("database", "It answers.")


def examine() -> Iterator[Finding]:
    yield _version()
    yield _migrations()
    yield _trigger()
    yield _rights()
    yield _role()
    yield _clock()


def _version() -> Finding:
    version = connection.pg_version // 10_000
    if version < OLDEST_VERSION:
        remedy = f"Use PostgreSQL {OLDEST_VERSION} or newer."
        return broken("database version", f"It is PostgreSQL {version}, which Gatehouse does not know.", remedy)
    return ok("database version", f"It is PostgreSQL {version}.")


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        return broken(
            "migrations", f"{missing} of them are not applied.", "Run manage.py migrate as the tables' owner."
        )
    return ok("migrations", "All are applied.")


def _trigger() -> Finding:
    enabled = _one(
        "SELECT tgenabled <> 'D' FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgname = %s", [LOG, TRIGGER]
    )
    if enabled:
        return ok("log trigger", "Rows of the access log can't be changed or deleted.")
    return broken(
        "log trigger",
        "The trigger that refuses changes of the access log is missing or switched off.",
        "Find out who did that and when; then make it again as portal/migrations/0002_log_is_append_only.py does.",
    )


def _rights() -> Finding:
    """What the processes need: to read every table, and to write into it."""
    there = set(connection.introspection.table_names())
    tables = sorted({model._meta.db_table for model in apps.get_models()} & there)
    lacking = [
        table
        for table in tables
        if not _one("SELECT has_table_privilege(%s, 'SELECT') AND has_table_privilege(%s, 'INSERT')", [table, table])
    ]
    if lacking:
        return broken(
            "permissions",
            f"This role may not read or write {', '.join(lacking[:5])}{' and others' if lacking[5:] else ''}.",
            "Grant what docs/operations.md, The access log, shows.",
        )
    return ok("permissions", "This role may read and write every table.")


def _role() -> Finding:
    """What it should not be able to do, so that whoever takes the web process over can't rewrite the log."""
    superuser, owner, rewrites = _row(
        """
        SELECT r.rolsuper, pg_has_role(r.rolname, c.relowner, 'MEMBER'),
               has_table_privilege(c.oid, 'TRUNCATE') OR has_table_privilege(c.oid, 'DELETE')
        FROM pg_roles r, pg_class c WHERE r.rolname = current_user AND c.oid = to_regclass(%s)
        """,
        [LOG],
    ) or (False, False, False)
    if superuser or owner or rewrites:
        what = "is a superuser" if superuser else "owns the access log" if owner else "may delete or truncate the log"
        return look(
            "database role",
            f"The role {what}: whoever takes a process over could rewrite the access log.",
            "Run the processes with a role that owns nothing; docs/operations.md, The access log, shows how.",
        )
    return ok("database role", "It owns nothing and can't rewrite the access log.")


def _clock() -> Finding:
    before = timezone.now()
    there: datetime = _one("SELECT clock_timestamp()")
    apart = abs(there - (before + (timezone.now() - before) / 2))
    if apart < NOTICEABLE:
        return ok("clock", "This machine and the database agree.")
    judge = broken if apart > TOO_MUCH else look
    why = f"This machine and the database are {round(apart.total_seconds())} seconds apart."
    return judge("clock", why, "Let both keep time by NTP: expiry of keys and tokens is judged by these clocks.")


def _one(statement: str, parameters: list | None = None):
    row = _row(statement, parameters)
    return row[0] if row else None


def _row(statement: str, parameters: list | None = None):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()
