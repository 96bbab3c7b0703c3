"""Every column with sealed values is known to the reseal: one that is not would lose them with its data key."""

import ast
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.db import models
from django.utils import timezone

from connections.methods.base import Caller
from connections.models import Secret
from connections.secrets import NewSecret, store
from consent import client_keys, flow, grants
from consent.managed import listing
from portal import sealed, vault
from portal.audit import events, log
from portal.audit.models import LogRow
from portal.identities import audiences, entra, roster, tokens
from portal.identities.models import IdentitySource, Proof
from portal.projects.roles import Role
from tests import factories
from tests.consent import making
from tests.test_invariants import sources

pytestmark = pytest.mark.django_db


def tables_in(source: str) -> set[str]:
    """The tables that a module's bindings name. Each must say it in a word of its own, so that it can be found."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    bindings = [call for call in calls if ast.unparse(call.func).rpartition(".")[2] == "Binding"]
    named = [[word.value for word in call.keywords if word.arg == "table"] for call in bindings]
    assert all(names and isinstance(names[0], ast.Constant) for names in named)
    return {names[0].value for names in named}


def test_every_table_that_a_binding_names_is_declared():
    named = set().union(*(tables_in(path.read_text()) for path in sources()))
    assert len(named) > 3
    assert named == {entry.table for entry in sealed.columns()}


def test_the_check_sees_a_binding_and_refuses_one_it_can_not_read():
    assert tables_in("vault.Binding(table='x.y', row=1)\nBinding(table='z')") == {"x.y", "z"}
    with pytest.raises(AssertionError):
        tables_in("Binding(name, 1)")


def test_every_column_in_which_a_sealed_value_stands_is_declared(project):
    seal_one_of_everything(project)
    declared = {(entry.model, entry.column) for entry in sealed.columns()}
    found = {place for place in text_columns() if holds_sealed(*place)}
    assert found == declared


def test_every_table_of_wrapped_keys_is_declared():
    wrapping = {model for model in apps.get_models() if "key_id" in {field.name for field in model._meta.fields}}
    assert wrapping == {entry.model for entry in sealed.wrapped_tables()} and len(wrapping) == 3


@pytest.mark.parametrize("entry", sealed.columns(), ids=str)
def test_every_column_opens_with_the_binding_that_it_declares(entry, project):
    seal_one_of_everything(project)
    rows = [row for row in entry.model.objects.all() if list(keys_in(entry, row))]
    assert rows
    for row in rows:
        for text in sealed.texts_of(getattr(row, entry.column)):
            if sealed.key_of(text):
                assert vault.open_sealed(text, entry.binding(row)).reveal()


def test_usage_counts_what_stands_in_every_column(project):
    seal_one_of_everything(project)
    counted = sealed.usage()
    by_hand = sum(len(list(keys_in(entry, row))) for entry in sealed.columns() for row in entry.model.objects.all())
    assert counted.total() == by_hand > 5
    assert set(counted) == set(vault.DataKey.objects.values_list("pk", flat=True))


def keys_in(entry: sealed.Sealed, row: models.Model):
    for text in sealed.texts_of(getattr(row, entry.column)):
        yield from sealed.key_of(text)


def text_columns():
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if model is not LogRow and isinstance(field, models.TextField | models.CharField | models.JSONField):
                yield model, field.attname


def holds_sealed(model: type[models.Model], column: str) -> bool:
    contents = model._base_manager.values_list(column, flat=True)
    return any(sealed.key_of(text) for content in contents for text in sealed.texts_of(content))


def seal_one_of_everything(project) -> None:
    """A value in each column that holds them, made by the code that makes them."""
    connection = factories.make_connection(project)
    again = NewSecret("credential", 0, "x-api-key", "second-value")
    store(connection, again, connection.addresses(), None, former_until=timezone.now() + timedelta(days=1))
    assert Secret.objects.get().former_value
    person = factories.make_member(project, Role.AI_USER)
    TOTP.activate(person, "JBSWY3DPEHPK3PXP")
    assert Authenticator.objects.exists()
    agent = factories.make_agent(project)
    oauth = making.make_connection(project, given_to=agent)
    making.make_grant(oauth, agent, person)
    revocable = making.make_connection(project, name="revocable", settings={"revocation_url": f"{making.NOWHERE}/r"})
    grants.revoke(making.make_grant(revocable, agent, person), person)
    flow.begin(flow.ask(oauth, Caller(agent, person)))
    client_keys.current(making.make_connection(project, name="signing", secret=""))
    _seal_identities(project, person)
    app = listing.enter("github", "c", "first-secret", {}, ["https://review.contoso.example"], person)
    listing.replace_secret(app, "second-secret", person, keep_former=timedelta(days=1))
    log.record(events.SIGNED_IN, log.Actor.of(person))


def _seal_identities(project, person) -> None:
    audiences.enter("api://contoso-hr", ["https://hr.contoso.example"], "", person)
    tokens.access_token(roster.shared_by_agents(project), "api://contoso-hr", ["https://hr.contoso.example/a2a"])
    source = IdentitySource(project=project, tenant="contoso.example", blueprint="b", proof=Proof.CLIENT_SECRET)
    source.proof_value = vault.seal("blueprint-secret", source.binding(entra.token_endpoint_of(source.tenant)))
    source.save()
