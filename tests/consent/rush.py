"""Many grants that fall due together, at the slow provider (slow_provider.py)."""

from datetime import timedelta

from django.utils import timezone

from connections.models import Connection
from consent.models import Grant
from consent.terms import Terms
from portal import vault
from portal.agents.models import Agent
from portal.users import User
from tests.consent import making


def due_grants(project, agent: Agent, url: str, count: int) -> Connection:
    """Given an hour ago by as many people, with a minute left."""
    at = {"authorization_url": f"{url}/authorize", "token_url": f"{url}/token"}
    connection = making.make_connection(project, agent, settings=at)
    terms, now = Terms.now(connection).stored(), timezone.now()
    names = [f"person-{number}-of-{connection.name}" for number in range(count)]
    people = [User(email=f"{name}@contoso.example", name=name) for name in names]
    User.objects.bulk_create(people, batch_size=1000)
    grants = []
    for number, person in enumerate(people):
        grant = Grant(connection=connection, agent=agent, user=person, terms=terms, scopes_given=[])
        grant.given_at, grant.expires_at = now - timedelta(hours=1), now + timedelta(minutes=1)
        grant.access_token = vault.seal(f"a-{number}-0", grant.binding("access_token"))
        grant.refresh_token = vault.seal(f"r-{number}-0", grant.binding("refresh_token"))
        grant.refresh_due_at = now - timedelta(seconds=1)
        grants.append(grant)
    Grant.objects.bulk_create(grants, batch_size=1000)
    return connection


def left() -> int:
    """How many are not refreshed yet."""
    return Grant.objects.filter(generation=0).count()
