"""What can go wrong while a user consents, produced at a real provider and read by the user on the page."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from connections import secrets
from connections.models import Connection
from connections.troubleshooting import CATALOGUE, Who
from consent.models import Block, ConsentRequest
from demo.provider.settings import SCOPES
from portal.agents.models import Agent
from portal.projects.models import Project
from portal.users import User
from tests import factories
from tests.consent.attacks.conftest import bens, stage  # noqa: F401 -- fixtures
from tests.consent.attacks.stage import Stage, arrive, at_the_provider, leave
from tests.fakes import misbehaviour as bad
from tests.fakes.authorization_server import authorization_server
from tests.fakes.misbehaviour import Misbehaviour
from tests.troubleshooting.telling import assert_docs_have, assert_log_and_search_explain, words_on

pytestmark = pytest.mark.django_db
Produce = Callable[[Stage, User, Client], HttpResponse]


@pytest.fixture
def project(db) -> Project:
    """No gateway here: each test has the database for itself."""
    return factories.make_project("contoso-support")


# On the way back from the provider


def is_denied(on: Stage, ben: User, browser: Client) -> HttpResponse:
    return arrive(browser, at_the_provider(leave(browser, on.link(ben)), deny=True))


def is_exchanged(fault: Misbehaviour, on: Stage, ben: User, browser: Client) -> HttpResponse:
    """The provider answers like this when the code is exchanged."""
    back = at_the_provider(leave(browser, on.link(ben)))
    on.provider.next(fault, at="code")
    return arrive(browser, back)


def comes_back(happens: Callable[[Stage, User], object], on: Stage, ben: User, browser: Client) -> HttpResponse:
    """This happened while the user was at the provider."""
    back = at_the_provider(leave(browser, on.link(ben)))
    happens(on, ben)
    return arrive(browser, back)


def comes_back_twice(on: Stage, ben: User, browser: Client) -> HttpResponse:
    back = at_the_provider(leave(browser, on.link(ben)))
    ConsentRequest.objects.update(used_at=timezone.now())
    return arrive(browser, back)


def names_another_issuer(on: Stage, ben: User, browser: Client) -> HttpResponse:
    named = Stage(on.provider, on.another(issuer=on.provider.at.issuer), on.agent)
    back = at_the_provider(leave(browser, named.link(ben)))
    return arrive(browser, back, iss="https://evil.example")


def comes_back_to_another_connection(on: Stage, ben: User, browser: Client) -> HttpResponse:
    other = on.another()
    return arrive(browser, at_the_provider(leave(browser, on.link(ben))), at=other)


def comes_back_with_a_made_up_state(on: Stage, ben: User, browser: Client) -> HttpResponse:
    return arrive(browser, at_the_provider(leave(browser, on.link(ben))), state="made-up")


def comes_back_in_another_browser(on: Stage, ben: User, browser: Client) -> HttpResponse:
    back = at_the_provider(leave(browser, on.link(ben)))
    other = Client()
    other.force_login(ben)
    return arrive(other, back)


def loses_the_role(on: Stage, ben: User) -> None:
    ben.role_assignments.all().delete()


def disables_the_agent(on: Stage, ben: User) -> None:
    Agent.objects.update(disabled_at=timezone.now())


def blocks_the_agent(on: Stage, ben: User) -> None:
    Block.objects.create(agent=on.agent, user=ben)


def takes_too_long(on: Stage, ben: User) -> None:
    ConsentRequest.objects.update(flow_ends_at=timezone.now())


def makes_up_a_verifier(on: Stage, ben: User) -> None:
    ConsentRequest.objects.update(verifier="v1:k1:AAAA:AAAA")


def clears_the_secret(on: Stage, ben: User) -> None:
    secrets.clear(on.connection, "client_secret")


# At the link itself


def opens_a_link_that_never_was(on: Stage, ben: User, browser: Client) -> HttpResponse:
    return browser.get(f"/consent/{uuid4()}")


def opens_anothers_link(on: Stage, ben: User, browser: Client) -> HttpResponse:
    chloe = factories.make_member(on.connection.project, "azure-ai-user", name="Chloe Martin")
    return browser.get(f"/consent/{on.link(chloe).id}")


def opens_an_ended_link(on: Stage, ben: User, browser: Client) -> HttpResponse:
    asking = on.link(ben)
    ConsentRequest.objects.update(expires_at=timezone.now())
    return browser.get(f"/consent/{asking.id}")


def begins_an_unfinished_one(on: Stage, ben: User, browser: Client) -> HttpResponse:
    asking = on.link(ben)
    Connection.objects.get(pk=on.connection.pk).secrets.all().delete()
    return browser.post(f"/consent/{asking.id}", {"decision": "continue"})


def enforcing(on: Stage) -> Stage:
    """A connection that compares the account with the person."""
    return Stage(on.provider, on.another(account_match="enforce", account_claim="email"), on.agent)


def names(email: str, on: Stage, ben: User, browser: Client) -> HttpResponse:
    on.provider.server.settings.claims["octo-chloe"] = {"email": email} if email else {}
    return arrive(browser, at_the_provider(leave(browser, enforcing(on).link(ben)), "octo-chloe"))


def connects_another_than_before(on: Stage, ben: User, browser: Client) -> HttpResponse:
    on.provider.server.settings.claims.update(dict.fromkeys(("octo-ben", "octo-chloe"), {"email": ben.email}))
    chosen = enforcing(on)
    arrive(browser, at_the_provider(leave(browser, chosen.link(ben))))
    return arrive(browser, at_the_provider(leave(browser, chosen.link(ben)), "octo-chloe"))


def is_told(fault: Misbehaviour, at: str, on: Stage, ben: User, browser: Client) -> HttpResponse:
    """A provider that signs id tokens answers like this at one of its addresses."""
    with authorization_server(scopes=SCOPES | {"openid": "Know who you are"}) as signs:
        connection = Stage(signs, on.connection, on.agent).another(scopes=["openid"], issuer=signs.at.issuer)
        back = at_the_provider(leave(browser, Stage(signs, connection, on.agent).link(ben)))
        signs.next(fault, at=at)
        return arrive(browser, back)


CONSENTS: dict[str, Produce] = {
    "account_differs": partial(names, "someone@else.example"),
    "account_unproven": partial(names, ""),
    "account_changed": connects_another_than_before,
    "id_token_refused": partial(is_told, bad.changed(id_token="e30.e30.e30"), "code"),
    "account_swapped": partial(is_told, bad.changed(sub="octo-chloe"), "userinfo"),
    "provider_denied": is_denied,
    "code_refused": partial(is_exchanged, bad.refuses("invalid_grant")),
    "oauth_client_refused": partial(is_exchanged, bad.refuses("invalid_client", 401)),
    "provider_refused_request": partial(is_exchanged, bad.refuses("invalid_scope")),
    "provider_unavailable": partial(is_exchanged, bad.too_many()),
    "provider_failed": partial(is_exchanged, bad.fails(500)),
    "role_needed_to_connect": partial(comes_back, loses_the_role),
    "consent_not_possible": partial(comes_back, disables_the_agent),
    "agent_blocked_by_user": partial(comes_back, blocks_the_agent),
    "consent_flow_ended": partial(comes_back, takes_too_long),
    "token_unreadable": partial(comes_back, makes_up_a_verifier),
    "secret_missing": partial(comes_back, clears_the_secret),
    "consent_answer_used": comes_back_twice,
    "consent_answer_unknown": comes_back_with_a_made_up_state,
    "consent_answer_foreign": comes_back_to_another_connection,
    "consent_other_browser": comes_back_in_another_browser,
    "issuer_mismatch": names_another_issuer,
    "consent_wrong_person": opens_anothers_link,
    "oauth_not_finished": begins_an_unfinished_one,
}
# Nothing was tried that anybody has to know of.
NOT_LOGGED: dict[str, Produce] = {
    "consent_link_unknown": opens_a_link_that_never_was,
    "consent_link_ended": opens_an_ended_link,
}


@pytest.mark.parametrize("code", CONSENTS | NOT_LOGGED)
def test_the_user_reads_the_entry_on_the_page(request, auditor, stage, ben, bens, code):  # noqa: F811
    answer, entry = (CONSENTS | NOT_LOGGED)[code](stage, ben, bens), CATALOGUE[code]

    shown = words_on(bens.get(answer.url) if answer.status_code == 302 else answer)
    # "Make a new one" is a button.
    for words in (entry.title, entry.cause, entry.resolution.removesuffix(".")):
        assert words in shown
    assert entry.who == Who.USER or f"Who must act: {entry.who.label}" in shown
    if code in CONSENTS:
        assert_log_and_search_explain(auditor, answer.headers["x-request-id"], code)
    assert code in SHARED_WITH_CALLS or not assert_docs_have(code)


# Agents are told these as well: test_every_failure compares how.
SHARED_WITH_CALLS = {
    "oauth_client_refused",
    "oauth_not_finished",
    "provider_refused_request",
    "provider_unavailable",
    "agent_blocked_by_user",
    "secret_missing",
}
