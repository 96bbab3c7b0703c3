"""The key ring and the data keys are replaced while others write; a run that dies is resumed by the next."""

import io
import threading
from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import transaction

from connections import secrets
from connections.models import Connection, Secret
from connections.secrets import NewSecret
from portal import installation, resealing, rewrapping, sealed, vault
from portal.audit import changes, log
from portal.audit.models import LogKey, LogRow
from portal.vault import DataKey
from tests import factories
from tests.vault.test_registry import seal_one_of_everything

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def reseal(*arguments: str) -> str:
    said = io.StringIO()
    call_command("reseal", *arguments, stdout=said)
    return said.getvalue()


def grow_old() -> None:
    """As if an hour had passed since everything that is there."""
    for key in DataKey.objects.all():
        emptied = key.emptied_at and key.emptied_at - timedelta(hours=1)
        changed = {"created_at": key.created_at - timedelta(hours=1), "emptied_at": emptied}
        DataKey.objects.filter(pk=key.pk).update(**changed)


def new_front(settings, name: str = "k2") -> None:
    settings.GATEHOUSE_KEYS = f"{name}:{Fernet.generate_key().decode()},{settings.GATEHOUSE_KEYS}"


def without_old(settings) -> None:
    settings.GATEHOUSE_KEYS = settings.GATEHOUSE_KEYS.split(",")[0]
    forget()


def forget() -> None:
    """As a process that starts anew."""
    vault._by_id.clear()
    log._keys.clear()
    log._current_key.clear()


def value_of(connection: Connection) -> str:
    found = Connection.objects.get(pk=connection.pk)
    return secrets.opened(found, "credential", found.addresses())[0][1].reveal()


def all_open() -> int:
    """How many sealed values there are; fails for one that does not open."""
    count = 0
    for entry in sealed.columns():
        for row in entry.model.objects.all():
            for text in sealed.texts_of(getattr(row, entry.column)):
                if sealed.key_of(text):
                    vault.open_sealed(text, entry.binding(row))
                    count += 1
    return count


# The ring


def test_after_a_reseal_the_old_key_of_the_ring_is_not_needed(project, settings):
    seal_one_of_everything(project)
    installation.verify()
    count, raw = all_open(), {key.pk: vault.unwrap(key.key_id, key.wrapped) for key in LogKey.objects.all()}
    new_front(settings)
    said = reseal()
    assert "k1 wraps nothing any more. Take it out of GATEHOUSE_KEYS" in said
    assert set(rewrapping.wrapped_by()) == {"k2"}

    without_old(settings)
    assert installation.unfit() == ""
    assert all_open() == count
    assert all(log.verify(row) for row in LogRow.objects.all())
    assert raw == {key.pk: vault.unwrap(key.key_id, key.wrapped) for key in LogKey.objects.all()}


def test_the_reseal_of_the_ring_is_in_the_log_and_a_second_one_does_nothing(project, settings):
    factories.make_connection(project)
    new_front(settings)
    reseal()
    assert "wrapped by k1 before" not in reseal()
    [row] = LogRow.objects.filter(event="keys.rewrapped")
    assert row.actor_kind == "system" and '"to": "k2"' in row.details


def test_a_key_that_the_ring_lacks_is_named_and_the_others_are_wrapped_anew(project, settings):
    factories.make_connection(project)
    DataKey.objects.create(project=factories.make_project(), key_id="k0", wrapped="lost")
    new_front(settings)
    with pytest.raises(CommandError, match="This was wrapped by key k0; GATEHOUSE_KEYS holds k2, k1"):
        reseal()
    assert rewrapping.wrapped_by()["k1"] == 0 and rewrapping.wrapped_by()["k0"] == 1


# Data keys


def test_every_value_is_sealed_under_a_new_key_and_opens(project):
    seal_one_of_everything(project)
    grow_old()
    count, old = all_open(), set(DataKey.objects.values_list("pk", flat=True))
    said = reseal("--data-keys")
    forget()
    assert f"{count} values sealed again" in said and "2 new data keys made." in said
    assert all_open() == count
    assert not set(sealed.usage()) & old
    assert LogRow.objects.filter(event="data_key.replaced").count() == 2


def test_a_retired_key_outlives_its_last_value_by_an_hour_and_then_is_destroyed(project):
    connection = factories.make_connection(project)
    grow_old()
    old = DataKey.objects.get(project=project)
    lookup = Connection.objects.prefetch_related("secrets__connection").get()  # as a gateway process keeps it
    number = changes.read()
    assert "to destroy what is left" in reseal("--data-keys")
    assert changes.read() > number

    reseal()
    forget()
    assert secrets.opened(lookup, "credential", lookup.addresses())[0][1].reveal() == "ledger-secret-value"

    grow_old()
    said = reseal()
    assert "1 retired data key destroyed." in said and "to destroy what is left" not in said
    forget()
    assert not DataKey.objects.filter(pk=old.pk).exists()
    assert value_of(connection) == "ledger-secret-value"
    assert LogRow.objects.filter(event="data_key.destroyed", project_id=project.id).count() == 1


def test_a_value_written_late_under_a_retired_key_is_found_and_keeps_it(project):
    """By a transaction that had asked for the active key before it was retired."""
    connection = factories.make_connection(project)
    grow_old()
    late = Secret.objects.get().value
    reseal("--data-keys")
    grow_old()
    Secret.objects.update(value=late)
    reseal()
    assert Secret.objects.get().value != late and value_of(connection) == "ledger-secret-value"
    # It begins to wait anew: somebody may have read the row while it named the old key.
    assert DataKey.objects.filter(project=project).count() == 2
    grow_old()
    reseal()
    assert DataKey.objects.filter(project=project).count() == 1


def test_no_key_is_destroyed_that_a_value_names_at_the_last_moment(project):
    factories.make_connection(project)
    grow_old()
    late = Secret.objects.get().value
    reseal("--data-keys")
    grow_old()
    Secret.objects.update(value=late)
    assert resealing.destroy() == 0
    assert DataKey.objects.filter(project=project).count() == 2


def test_what_a_person_writes_meanwhile_wins(project, monkeypatch):
    connection = factories.make_connection(project)
    grow_old()
    swap = resealing._swap

    def written_meanwhile(*arguments):
        monkeypatch.setattr(resealing, "_swap", swap)
        new = NewSecret("credential", 0, "x-api-key", "just-typed")
        sealed_now = secrets.sealed(connection, new, connection.addresses(), None)
        sealed_now.pk = Secret.objects.get().pk
        Secret.objects.update(value=vault.seal("just-typed", sealed_now.binding(connection.addresses())))
        return swap(*arguments)

    monkeypatch.setattr(resealing, "_swap", written_meanwhile)
    reseal("--data-keys")
    assert value_of(connection) == "just-typed"


def test_a_row_that_somebody_holds_is_not_waited_for_and_moved_later(project, monkeypatch):
    monkeypatch.setattr(resealing, "PAUSE", 0.05)
    factories.make_connection(project)
    held = Secret.objects.get()
    factories.make_connection(project)
    grow_old()
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Secret.objects.select_for_update().get(pk=held.pk)
            holding.set()
            done.wait(10)
        database.close()

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait(10)
    told: list[int] = []
    resealing.replace_keys()

    def tell(moved) -> None:
        told.append(moved.done)
        if len(told) == 2:
            done.set()

    moved = resealing.move(tell=tell)
    holder.join()
    assert told[0] == 1 and (moved.done, moved.busy) == (2, 0)


def test_a_broken_value_is_named_and_left_and_the_others_move(project):
    whole, broken = factories.make_connection(project), factories.make_connection(project)
    Connection.objects.filter(pk=broken.pk).update(endpoint="https://evil.example/a2a")
    grow_old()
    row = broken.secrets.get()
    with pytest.raises(CommandError) as refused:
        reseal("--data-keys")
    assert f"connections_secret.value {row.pk}" in str(refused.value) and row.value not in str(refused.value)
    assert "It was left as it is." in str(refused.value)
    assert broken.secrets.get().value == row.value and value_of(whole) == "ledger-secret-value"

    for _ in range(3):
        grow_old()
        with pytest.raises(CommandError):
            reseal()
    Connection.objects.filter(pk=broken.pk).update(endpoint=broken.endpoint)
    forget()
    assert value_of(broken) == "ledger-secret-value"


def test_a_method_that_is_not_installed_leaves_its_values_alone(project):
    connection = factories.make_connection(project)
    Connection.objects.update(auth_method="gone")
    grow_old()
    with pytest.raises(CommandError, match="What it belongs to can't be told"):
        reseal("--data-keys")
    Connection.objects.update(auth_method="key-based")
    assert value_of(connection) == "ledger-secret-value"


def test_only_the_named_project_gets_a_new_key(project):
    other = factories.make_project("fabrikam")
    for each in (project, other):
        factories.make_connection(each)
    grow_old()
    reseal("--data-keys", "--project", "fabrikam")
    assert DataKey.objects.filter(project=other).count() == 2
    assert DataKey.objects.filter(project=project).count() == 1
    with pytest.raises(CommandError, match="There is no project named nobody"):
        reseal("--project", "nobody")


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(project, settings):
    seal_one_of_everything(project)
    grow_old()
    new_front(settings)
    before = [list(model.objects.order_by("pk").values()) for model in (DataKey, LogKey, Secret)]
    said = reseal("--data-keys", "--dry-run")
    assert "2 new data keys to be made." in said and f"{all_open()} values to be sealed again." in said
    assert "4 keys to be wrapped by k2." in said and "Nothing was changed." in said
    assert before == [list(model.objects.order_by("pk").values()) for model in (DataKey, LogKey, Secret)]


def test_an_interrupted_run_goes_on_and_gives_no_second_key(project, monkeypatch):
    for _ in range(5):
        factories.make_connection(project)
    grow_old()
    monkeypatch.setattr(resealing, "BATCH", 2)

    def stop(moved) -> None:
        raise KeyboardInterrupt

    resealing.replace_keys()
    with pytest.raises(KeyboardInterrupt):
        resealing.move(tell=stop)
    assert resealing.to_move() == 3 and all_open() == 5
    said = reseal("--data-keys")
    assert "0 new data keys made. 1 data key younger than an hour: kept." in said and "3 values sealed again" in said
    assert resealing.to_move() == 0 and all_open() == 5 and DataKey.objects.count() == 2


def test_two_runs_at_once_do_no_harm(project):
    made = [factories.make_connection(project) for _ in range(40)]
    grow_old()
    together, failures = threading.Barrier(2), []

    def run() -> None:
        try:
            together.wait(10)
            reseal("--data-keys")
        except Exception as error:
            failures.append(error)
        finally:
            database.close()

    runs = [threading.Thread(target=run) for _ in range(2)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert failures == []
    forget()
    assert {value_of(each) for each in made} == {"ledger-secret-value"}
    assert DataKey.objects.filter(project=project).count() == 2 and resealing.to_move() == 0


def test_a_second_factor_goes_on_working(ana):
    TOTP.activate(ana, "JBSWY3DPEHPK3PXP")
    grow_old()
    used = TOTP(ana.authenticator_set.get()).instance.data
    reseal("--data-keys")
    [stored] = ana.authenticator_set.all()
    assert stored.data != used and stored.data.keys() == used.keys()
    from allauth.mfa.utils import decrypt

    assert decrypt(stored.data["secret"]) == "JBSWY3DPEHPK3PXP"


def test_a_run_that_was_frozen_writes_nothing_under_a_key_that_was_retired_meanwhile(project, monkeypatch):
    connection = factories.make_connection(project)
    grow_old()
    resealing.replace_keys()
    resealed, written_under = vault.resealed, []

    def frozen(text, binding, data_key):
        result = resealed(text, binding, data_key)
        if not written_under:
            grow_old()
            assert resealing.replace_keys() == 1
        written_under.append(data_key)
        return result

    monkeypatch.setattr(vault, "resealed", frozen)
    resealing.move()
    active = DataKey.objects.get(project=project, retired_at=None)
    assert len(written_under) == 2 and sealed.key_of(Secret.objects.get().value) == [active.pk]
    assert value_of(connection) == "ledger-secret-value"
