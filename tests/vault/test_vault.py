"""Sealing binds a value to its row, field, people and addresses; nothing else opens it (T01, T32, T33)."""

import dataclasses
import json
import pickle
import uuid

import pytest
from cryptography.fernet import Fernet

from portal import vault
from tests import factories

pytestmark = pytest.mark.django_db

PLAINTEXT = "a plaintext of the tests"


@pytest.fixture
def binding(project) -> vault.Binding:
    return vault.Binding(
        table="connections.secret",
        row=uuid.uuid4(),
        field="credential",
        name="x-api-key",
        project=project.id,
        user=uuid.uuid4(),
        agent=uuid.uuid4(),
        addresses=("https://a.example/a2a", "https://b.example/token"),
    )


def test_what_was_sealed_opens_again(binding):
    assert vault.open_sealed(vault.seal(PLAINTEXT, binding), binding).reveal() == PLAINTEXT


def test_the_order_of_the_addresses_does_not_matter(binding):
    turned = dataclasses.replace(binding, addresses=tuple(reversed(binding.addresses)))
    assert vault.open_sealed(vault.seal(PLAINTEXT, binding), turned).reveal() == PLAINTEXT


@pytest.mark.parametrize(
    "change",
    [
        {"table": "consent.grant"},
        {"row": uuid.uuid4()},
        {"field": "client_secret"},
        {"name": "authorization"},
        {"project": uuid.uuid4()},
        {"user": uuid.uuid4()},
        {"user": None},
        {"agent": uuid.uuid4()},
        {"addresses": ("https://a.example/a2a",)},
        {"addresses": ("https://a.example/a2a", "https://evil.example/token")},
        # The same letters, cut differently: parts carry their length.
        {"field": "credentialx-api-key", "name": ""},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_value_moved_anywhere_else_does_not_open(binding, change):
    sealed = vault.seal(PLAINTEXT, binding)
    with pytest.raises(vault.SealBroken):
        vault.open_sealed(sealed, dataclasses.replace(binding, **change))


def test_every_changed_byte_breaks_the_seal(binding):
    sealed = vault.seal(PLAINTEXT, binding)
    start = sealed.rindex(":") + 1
    for place in range(start, len(sealed) - 2, 7):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(vault.SealBroken):
            vault.open_sealed(changed, binding)


@pytest.mark.parametrize("damaged", ["", "gh1", "gh1:x:y", "gh2:" + "0" * 32 + ":token", PLAINTEXT])
def test_something_that_was_never_sealed_is_not_returned_as_it_is(binding, damaged):
    with pytest.raises(vault.VaultError):
        vault.open_sealed(damaged, binding)


def test_each_project_has_a_key_of_its_own_and_loses_all_with_it(binding, project):
    sealed = vault.seal(PLAINTEXT, binding)
    other = factories.make_project()
    vault.seal(PLAINTEXT, dataclasses.replace(binding, project=other.id))
    assert vault.DataKey.objects.filter(retired_at=None).count() == 2

    project.delete()
    vault._by_id.clear()

    with pytest.raises(vault.KeyUnavailable):
        vault.open_sealed(sealed, binding)


def test_a_new_key_in_front_of_the_ring_leaves_old_values_readable(binding, settings):
    sealed = vault.seal(PLAINTEXT, binding)
    settings.GATEHOUSE_KEYS = f"k9:{Fernet.generate_key().decode()},{settings.GATEHOUSE_KEYS}"
    vault._by_id.clear()

    assert vault.open_sealed(sealed, binding).reveal() == PLAINTEXT
    made_now = vault.seal(PLAINTEXT, dataclasses.replace(binding, project=None))
    assert vault.DataKey.objects.get(project=None).key_id == "k9"
    assert vault.open_sealed(made_now, dataclasses.replace(binding, project=None)).reveal() == PLAINTEXT


@pytest.mark.parametrize("name", ["k1", "k2"], ids=["same name, other key", "other name"])
def test_a_wrong_ring_says_so_and_opens_nothing(binding, settings, name):
    settings.GATEHOUSE_KEYS = f"k1:{Fernet.generate_key().decode()}"
    sealed = vault.seal(PLAINTEXT, binding)
    settings.GATEHOUSE_KEYS = f"{name}:{Fernet.generate_key().decode()}"
    vault._by_id.clear()

    with pytest.raises(vault.KeyUnavailable, match="GATEHOUSE_KEYS"):
        vault.open_sealed(sealed, binding)


@pytest.mark.parametrize("ring", ["", "no-colon", "k1:short"])
def test_a_malformed_ring_is_refused_without_being_repeated(ring):
    with pytest.raises(vault.KeyUnavailable) as refused:
        vault.KeyRing(ring)
    assert not ring or ring not in str(refused.value)


def test_a_secret_does_not_show_itself():
    secret = vault.Secret(PLAINTEXT)

    assert PLAINTEXT not in f"{secret} {secret!r} {secret:>40} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps({"value": secret})
