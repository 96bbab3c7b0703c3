"""Rows of the log: what is written, that it can't be changed unseen, and that a gap shows."""

import uuid

import pytest
from django.db import DatabaseError, connection, transaction

from portal.audit import events, log
from portal.audit.models import LogKey, LogRow
from portal.audit.readable import readable
from tests import factories

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
BY = log.Actor("user", uuid.uuid4(), "Ana Ruiz")


@pytest.fixture
def tamper(transactional_db):
    """Changes rows as somebody with the database's own password can (T34)."""

    def run(sql: str, *values) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE portal_logrow DISABLE TRIGGER log_rows_are_only_inserted")
            try:
                cursor.execute(sql, values)
            finally:
                cursor.execute("ALTER TABLE portal_logrow ENABLE TRIGGER log_rows_are_only_inserted")

    return run


def counters() -> list[int]:
    return list(LogRow.objects.order_by("id").values_list("counter", flat=True))


def rows() -> list[LogRow]:
    return list(LogRow.objects.order_by("id"))


def test_a_row_says_who_did_what_where_and_verifies():
    project = factories.make_project("contoso")
    agent = factories.make_agent(project, "support-bot")
    ben = factories.make_user("Ben Okafor")
    log.record(events.KEY_MADE, BY, project=project, agent=agent, on_behalf_of=ben, details={"key": "web"})
    [row] = rows()
    assert (row.event, row.outcome, row.actor_name) == ("agent.key_made", "succeeded", "Ana Ruiz")
    assert (row.project_id, row.project_name, row.agent_name) == (project.id, "contoso", "support-bot")
    assert (row.on_behalf_of_id, row.on_behalf_of_name, row.details) == (ben.id, "Ben Okafor", '{"key": "web"}')
    assert log.verify(row)


@pytest.mark.parametrize(
    "change",
    [
        "actor_name = 'Nobody'",
        "outcome = 'failed'",
        "time = time - interval '1 day'",
        "details = '{}'",
        "counter = counter + 100",
        "project_id = gen_random_uuid()",
        "writer = gen_random_uuid()",
        "duration = 1",
    ],
)
def test_a_changed_row_no_longer_verifies(tamper, change):
    log.record(events.SIGNED_IN, BY, details={"from": "here"})
    log.record(events.SIGNED_IN, BY)
    tamper(f"UPDATE portal_logrow SET {change} WHERE id = (SELECT min(id) FROM portal_logrow)")
    changed, untouched = rows()
    assert not log.verify(changed)
    assert log.verify(untouched)


def test_a_signature_copied_from_another_row_does_not_verify(tamper):
    log.record(events.SIGNED_IN, BY)
    log.record(events.SIGNED_IN, log.Actor("user", uuid.uuid4(), "Eve Holt"))
    first, second = rows()
    tamper("UPDATE portal_logrow SET hmac = %s WHERE id = %s", bytes(first.hmac), second.id)
    assert not log.verify(rows()[1])


def test_a_copied_row_can_not_stand_beside_its_original(tamper):
    log.record(events.SIGNED_IN, BY)
    names = ", ".join(name for name in log.COLUMNS if name != "uid")
    with pytest.raises(DatabaseError, match="one_row_per_writer_and_counter"):
        tamper(f"INSERT INTO portal_logrow (uid, {names}) SELECT gen_random_uuid(), {names} FROM portal_logrow")


def test_a_row_forged_with_another_counter_does_not_verify(tamper):
    log.record(events.SIGNED_IN, BY)
    names = ", ".join(name for name in log.COLUMNS if name not in ("uid", "counter"))
    forged = f"SELECT gen_random_uuid(), counter + 1, {names} FROM portal_logrow"
    tamper(f"INSERT INTO portal_logrow (uid, counter, {names}) {forged}")
    assert [log.verify(row) for row in rows()] == [True, False]


def test_a_deleted_row_leaves_a_gap_in_its_writers_counters(tamper):
    for _ in range(4):
        log.record(events.SIGNED_IN, BY)
    before = counters()
    tamper("DELETE FROM portal_logrow WHERE counter = %s", before[1])
    assert before == list(range(before[0], before[0] + 4))
    assert counters() == [before[0], before[2], before[3]]


@pytest.mark.parametrize("sql", ["UPDATE portal_logrow SET outcome = 'failed'", "DELETE FROM portal_logrow"])
def test_the_database_refuses_to_change_or_delete_a_row(sql):
    log.record(events.SIGNED_IN, BY)
    with pytest.raises(DatabaseError, match="only inserted"), connection.cursor() as cursor:
        cursor.execute(sql)
    assert log.verify(*rows())


def test_rows_of_one_transaction_are_numbered_without_a_gap():
    with transaction.atomic():
        log.record(events.SIGNED_IN, BY)
        log.record(events.SIGNED_IN, BY)
    log.record(events.SIGNED_IN, BY)
    first = counters()[0]
    assert counters() == [first, first + 1, first + 2]


def test_a_savepoint_that_is_rolled_back_leaves_no_gap():
    with transaction.atomic():
        log.record(events.SIGNED_IN, BY)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            log.record(events.SIGN_IN_FAILED, BY)
            raise ZeroDivisionError
        log.record(events.SIGNED_IN, BY)
    log.record(events.SIGNED_IN, BY)
    first = counters()[0]
    assert counters() == [first, first + 1, first + 2]
    assert all(log.verify(row) for row in rows())


def test_a_transaction_that_is_rolled_back_leaves_no_row_and_no_gap():
    log.record(events.SIGNED_IN, BY)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        log.record(events.SIGN_IN_FAILED, BY)
        raise ZeroDivisionError
    log.record(events.SIGNED_IN, BY)
    first = counters()[0]
    assert counters() == [first, first + 1]


def test_after_a_commit_of_which_nobody_knows_whether_it_arrived_the_writer_is_a_new_one(elsewhere):
    log.record(events.SIGNED_IN, BY)
    with pytest.raises(DatabaseError), transaction.atomic():
        log.record(events.SIGNED_IN, BY)
        elsewhere.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    log.record(events.SIGNED_IN, BY)
    first, last = rows()
    assert first.writer != last.writer
    assert last.counter == 1


def test_a_log_key_made_in_a_transaction_that_is_rolled_back_is_not_used_again():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        log.record(events.SIGNED_IN, BY)
        raise ZeroDivisionError
    log.record(events.SIGNED_IN, BY)
    [row] = rows()
    assert LogKey.objects.filter(id=row.log_key).exists()
    assert log.verify(row)


def test_text_that_the_database_would_refuse_is_cut_to_size():
    log.record(events.SIGN_IN_FAILED, log.Actor("nobody", None, "a\0b" + "x" * 500), details={"email": "n\0ul"})
    [row] = rows()
    assert row.actor_name.startswith("a\ufffdbxxx")
    assert len(row.actor_name) == 200
    assert "\0" not in row.details
    assert log.verify(row)


def test_a_begun_act_has_two_rows_that_share_a_call():
    finish = log.begin(events.SIGNED_IN, BY)
    attempt = LogRow.objects.get()
    finish(events.Outcome.FAILED, reason="timeout", duration=12)
    first, last = rows()
    assert (first.kind, first.outcome, last.kind, last.outcome) == ("attempt", "in_progress", "outcome", "failed")
    assert first.call_id == last.call_id == attempt.call_id
    assert log.verify(first)
    assert log.verify(last)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Ana Ruiz", "Ana Ruiz"),
        ("a\r\nFAKE 200 ok", "a FAKE 200 ok"),
        ("\x1b[2Jgone", "[2Jgone"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("\u2066in\u2069 \u200fout", "in out"),
        ("zero\u200bwidth", "zerowidth"),
        ("نیم\u200cفاصله", "نیم\u200cفاصله"),
        ("tab\tand\x00nul\x9b", "tab andnul"),
    ],
)
def test_what_others_wrote_is_shown_without_what_hides_or_turns_it(written, shown):
    assert readable(written) == shown
