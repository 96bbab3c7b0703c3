"""Before a stored value expires, those who can replace it are told; an old one is only mentioned."""

import smtplib
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection as database
from django.utils import timezone

from connections import keeping, reminders, tasks
from connections.models import Secret
from portal.celery import app
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mailing(settings) -> None:
    settings.EMAIL_HOST = "mail.contoso.example"


@pytest.fixture
def secret(project, ana) -> Secret:
    connection = factories.make_connection(project, name="ledger-agent")
    return expiring(connection.secrets.get(), 14)


def expiring(secret: Secret, days: int) -> Secret:
    Secret.objects.filter(pk=secret.pk).update(expires_on=timezone.localdate() + timedelta(days=days))
    secret.refresh_from_db()
    return secret


def test_those_who_can_change_the_connection_are_told_14_days_and_1_day_before(secret, project, mailoutbox):
    manager = factories.make_member(project, Role.PROJECT_MANAGER)
    factories.make_member(project, Role.READER)
    factories.make_member(factories.make_project(), Role.OWNER)
    expiring(secret, 15)
    assert tasks.mail_expiry() == 0

    expiring(secret, 14)
    assert tasks.mail_expiry() == 1 and tasks.mail_expiry() == 0
    expiring(secret, 2)
    assert tasks.mail_expiry() == 0
    expiring(secret, 1)
    assert tasks.mail_expiry() == 1 and tasks.mail_expiry() == 0
    expiring(secret, -1)
    assert tasks.mail_expiry() == 0

    first, second = mailoutbox
    assert sorted(first.to) == sorted(second.to) == sorted(["ana.ruiz@contoso.example", manager.email])
    assert "ledger-agent expires on" in first.subject
    assert "/projects/contoso-support/tools/ledger-agent/replace/" in first.body
    assert "ledger-secret-value" not in first.body


def test_one_that_was_found_late_is_told_once(secret, mailoutbox):
    expiring(secret, 1)
    assert [tasks.mail_expiry() for _ in range(3)] == [1, 0, 0]


def test_another_date_and_another_value_are_told_of_anew(secret, ana, mailoutbox):
    reminders.send()
    connection = secret.connection
    place, later = ("credential", 0), secret.expires_on - timedelta(days=4)
    keeping.replace(connection, [], {place: secret.expires_on}, ana)
    assert reminders.send() == 0
    connection.refresh_from_db()
    keeping.replace(connection, [], {place: later}, ana)
    assert reminders.send() == 1


def test_without_a_mail_server_nothing_is_sent_and_nothing_forgotten(secret, settings, mailoutbox):
    settings.EMAIL_HOST = ""
    assert reminders.send() == 0
    settings.EMAIL_HOST = "mail.contoso.example"
    assert reminders.send() == 1 and len(mailoutbox) == 1


def test_a_mail_that_could_not_be_sent_stays_due(secret, mailoutbox, monkeypatch):
    def refuse(*_arguments, **_options) -> None:
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as broken:
        broken.setattr(mail.get_connection().__class__, "send_messages", refuse)
        assert reminders.send() == 0
    assert reminders.send() == 1 and len(mailoutbox) == 1


def test_the_mail_of_a_worker_that_was_killed_is_sent_after_its_claim(secret, mailoutbox, monkeypatch):
    def killed(_secret) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(reminders, "_mail", killed)
        with pytest.raises(KeyboardInterrupt):
            reminders.send()
    assert reminders.send() == 0
    Secret.objects.update(reminding_until=timezone.now() - timedelta(seconds=1))
    assert reminders.send() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_one_mail(secret, mailoutbox):
    together, sent = threading.Barrier(2), []

    def work() -> None:
        together.wait(10)
        sent.append(reminders.send())
        database.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sorted(sent) == [0, 1] and len(mailoutbox) == 1


def test_a_cleared_value_is_not_reminded_of(secret, mailoutbox):
    Secret.objects.update(value="")
    assert reminders.send() == 0


def test_an_old_value_is_mentioned_on_both_pages_and_a_young_one_is_not(browse, ana, project, settings):
    connection = factories.make_connection(project, name="ledger-agent")
    Secret.objects.update(set_at=timezone.now() - timedelta(days=181))
    shown = [words_of(browse(ana).get(page(*where))) for where in (("tools", project), _overview(connection))]
    assert "Secret set" in shown[0] and "Not replaced for 181 days." in shown[1]

    settings.SECRET_OLD_DAYS = 365
    shown = [words_of(browse(ana).get(page(*where))) for where in (("tools", project), _overview(connection))]
    assert "Secret set" not in shown[0] and "Not replaced for" not in shown[1]


def _overview(connection) -> tuple:
    return "connection", connection.project, connection.name


def test_beat_wakes_only_what_a_worker_knows(settings):
    app.loader.import_default_modules()
    woken = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {"connections.tasks.end_former_values", "connections.tasks.mail_expiry"} <= woken
    assert woken <= set(app.tasks)
