"""What the soak works on: people who consented at the providers, and what the portal keeps of it."""

import random
from datetime import timedelta

from django.utils import timezone

from connections.models import Connection
from consent import grants, oauth2, tokens
from consent.identifying import Account
from consent.models import ConsentRequest, Grant
from consent.terms import Terms
from portal import vault
from portal.agents.models import Agent
from portal.users import User
from tests import factories
from tests.consent import making
from tests.soak.providers import Running

LIFE = timedelta(seconds=60)


def people_at(provider: Running, agent: Agent, count: int) -> dict[str, str]:
    """So many grants at each of its doors, which are connections of their own; grant id to family."""
    given = {}
    for number, url in enumerate(provider.urls):
        connection = _connection(agent, f"{provider.name}-{number}", url)
        names = [f"person-{each}-of-{connection.name}" for each in range(count)]
        people = [User(email=f"{name}@contoso.example", name=name) for name in names]
        User.objects.bulk_create(people)
        families = provider.families(count)
        rows = [_grant(connection, agent, *each) for each in zip(people, families, strict=True)]
        Grant.objects.bulk_create(rows)
        given |= {str(row.pk): family for row, family in zip(rows, families, strict=True)}
    return given


def _connection(agent: Agent, name: str, url: str) -> Connection:
    at = {"authorization_url": f"{url}/authorize", "token_url": f"{url}/token"}
    return making.make_connection(agent.project, agent, name=name, settings=at)


def _grant(connection: Connection, agent: Agent, person: User, family: str) -> Grant:
    grant = Grant(connection=connection, agent=agent, user=person, terms=Terms.now(connection).stored())
    grant.expires_at = timezone.now() + LIFE * random.uniform(0.4, 1)
    grant.refresh_due_at = grant.expires_at - LIFE / 4
    for field, kind in (("access_token", "a"), ("refresh_token", "r")):
        setattr(grant, field, vault.seal(f"{kind}-{family}-0", grant.binding(field)))
    return grant


def agent(name: str) -> Agent:
    return factories.make_agent(factories.make_project(name), name)


def consent_again(grant: Grant, family: str) -> None:
    """The person whose access was lost opened the link and agreed once more; call it in a transaction."""
    request = ConsentRequest(connection=grant.connection, agent=grant.agent, user=grant.user, terms=grant.terms)
    request.expires_at = timezone.now() + timedelta(hours=1)
    new = oauth2.Tokens(vault.Secret(f"a-{family}-0"), vault.Secret(f"r-{family}-0"), int(LIFE.total_seconds()), None)
    grants.store(request, new, Account())


def held_by(grant: Grant) -> tuple[str, int] | None:
    """Family and number of the refresh token that is stored; None where there is none."""
    token = tokens.both(grant)[0]
    if token is None:
        return None
    _, family, number = token.reveal().split("-")
    return family, int(number)
