"""Mail: once when a connection begins to fail, once when it has recovered, to people who can change it."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone

from connections import tasks
from connections.models import Health, Watch
from connections.watching import telling
from portal.celery import app
from portal.projects.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail(settings):
    settings.EMAIL_HOST = "mail.contoso.example"


def watched(project, name="ledger-agent", state="failing", failures=2, **fields):
    connection = factories.make_connection(project, name=name)
    reason = "endpoint_refused_401" if state == "failing" else ""
    Health.objects.create(connection=connection, state=state, reason=reason, checked_at=timezone.now())
    return Watch.objects.create(connection=connection, host="x", failures=failures, **fields)


def test_it_is_told_once_when_it_fails_and_once_when_it_recovers(project, ana):
    watch = watched(project)
    assert [telling.tell() for _ in range(3)] == [1, 0, 0]
    [sent] = mail.outbox
    assert sent.subject == "ledger-agent is failing" and sent.to == [ana.email]
    assert "The endpoint refused the credential." in sent.body and "Who must act: An administrator" in sent.body
    assert f"/projects/{project.name}/tools/ledger-agent/" in sent.body
    Watch.objects.update(failures=F("failures") + 5)
    assert telling.tell() == 0
    Watch.objects.update(failures=0)
    Health.objects.update(state="healthy", reason="")
    assert [telling.tell() for _ in range(2)] == [1, 0]
    assert mail.outbox[1].subject == "ledger-agent no longer fails"
    assert "ledger-agent is healthy again." in mail.outbox[1].body
    watch.refresh_from_db()
    assert (watch.told, watch.tell_at) == (False, None)


def test_a_single_blip_is_not_told(project, ana):
    watched(project, failures=1)
    assert telling.tell() == 0
    Watch.objects.update(failures=0)
    assert telling.tell() == 0 and mail.outbox == []


def test_it_goes_to_those_who_can_change_the_connection(project, ana, ben, dev, eve):
    manager = factories.make_member(project, Role.PROJECT_MANAGER, name="Mona Lund")
    factories.give(gone := factories.make_user("Gone"), Role.OWNER, project, until=timezone.now() - timedelta(days=1))
    watched(project)
    telling.tell()
    assert {address for sent in mail.outbox for address in sent.to} == {ana.email, manager.email}
    assert all(len(sent.recipients()) == 1 for sent in mail.outbox) and gone.email not in str(mail.outbox)


def test_those_that_changed_together_come_in_one_mail(project, ana):
    for number in range(3):
        watched(project, f"agent-{number}")
    watched(project, "better-agent", "healthy", 0, told=True)
    assert telling.tell() == 1
    assert mail.outbox[0].subject == "4 connections of contoso-support changed"
    assert "agent-2" in mail.outbox[0].body and "better-agent is healthy again." in mail.outbox[0].body


def test_without_a_mail_server_nobody_is_told_and_nothing_is_lost(project, ana, settings):
    settings.EMAIL_HOST = ""
    watched(project)
    assert telling.tell() == 0
    settings.EMAIL_HOST = "mail.contoso.example"
    assert telling.tell() == 1


def test_a_mail_that_could_not_be_sent_is_sent_later(project, ana, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 1
    settings.EMAIL_HOST = "127.0.0.1"
    watched(project)
    assert telling.tell() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert telling.tell() == 0
    Watch.objects.update(tell_at=F("tell_at") - telling.LEASE)
    assert telling.tell() == 1


def test_a_disabled_connection_is_not_told_of(project, ana):
    watch = watched(project)
    type(watch.connection).objects.update(disabled_at=timezone.now())
    assert telling.tell() == 0


def test_no_task_carries_anything_and_each_has_its_queue():
    queues = {tasks.probe_due: "probe", tasks.probe_tidying: "probe", tasks.mail_health: "mail"}
    for task, queue in queues.items():
        assert task.run.__code__.co_argcount == 0
        assert app.amqp.router.route({}, task.name)["queue"].name == queue
