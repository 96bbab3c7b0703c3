"""Makes the demo by the verbs that the pages call, so that the log shows it being set up.

Passwords and the agent's key are random and stand in no place but var/demo.json (mode 600), made once.
"""

import json
import os
import secrets
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from connections import agent_card, keeping, probes
from connections.drafts import Draft
from connections.models import CARD_PATH, Connection
from connections.secrets import NewSecret
from consent.method import OAuthIdentityPassthrough
from consent.terms import redirect_uri
from portal import installation
from portal.agents import keys, registering, speaking
from portal.agents.models import Agent
from portal.outbound import session as outbound
from portal.projects import assignments, first_owner, founding
from portal.projects.models import Project
from portal.projects.roles import Role
from portal.users import User

PROJECT = "contoso-support"
AGENT = "support-bot"
OAUTH = OAuthIdentityPassthrough.slug
MEMBERS = [("Ben Okafor", Role.AI_USER), ("Chloe Martin", Role.AI_USER), ("Dev Patel", Role.AUDITOR)]


class Refused(Exception):
    """This is no place for a demo; the sentence says why and what to do."""


def ensure() -> None:
    """Makes what is missing and writes the facts with today's addresses: the port may differ from start to start."""
    if not settings.DEMO:
        raise Refused("The demo is only made where GATEHOUSE_DEMO=1 is set: make run does that.")
    if not installation.verify().is_demo:
        raise Refused("This database is not a demo's. Unset GATEHOUSE_DEMO, or use an empty database.")
    kept = settings.VAR_DIR / "demo.json"
    facts = json.loads(kept.read_text()) if kept.exists() else _make()
    _write(kept, {**facts, "url": settings.PUBLIC_URL, "connections": _addresses()})


def _make() -> dict:
    """The people, the project, the agent and its connections; returns what can't be read back later."""
    if Project.objects.exists():
        raise Refused("var/demo.json is gone, and with it the demo's passwords. Run rm -r var for a fresh demo.")
    ana = first_owner.create_owner("ana.ruiz@contoso.example", "Ana Ruiz")
    project = founding.create(PROJECT, ana, description="Agents that answer customers of Contoso")
    sign_ins = [_sign_in(ana, "Administrator: Owner and Azure AI Owner"), *_members(project, ana)]
    agent = registering.register(project, AGENT, ana, description="Answers customers of Contoso Support.")
    _, key = keys.make(agent, "web", ana)
    _connect(project, agent, ana)
    return {"url": "", "project": PROJECT, "users": sign_ins, "agents": [{"name": AGENT, "key": key}]}


def _members(project: Project, by: User) -> list[dict]:
    sign_ins = []
    for name, role in MEMBERS:
        person = User.objects.create_user(f"{name.lower().replace(' ', '.')}@contoso.example", name=name)
        assignments.give(person, role, project, by)
        sign_ins.append(_sign_in(person, role.label))
    return sign_ins


def _sign_in(person: User, role: str) -> dict:
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    person.set_password(password)
    person.save(update_fields=["password"])
    return {"email": person.email, "password": password, "role": role}


def _connect(project: Project, agent: Agent, by: User) -> None:
    """The demo's endpoints: behind a key, open, and behind each person's own account."""
    for draft in _drafts(os.environ["DEMO_ENDPOINT_URL"], os.environ["DEMO_ENDPOINT_KEY"]):
        connection = keeping.connect(project, _with_card(draft), by, for_agent=agent)
        probes.test(connection, by)
    _connect_reviews(project, agent, by, os.environ["DEMO_ENDPOINT_URL"])


def _with_card(draft: Draft) -> Draft:
    card = agent_card.fetch([f"{draft.endpoint}{draft.card_path}"]).card
    return draft.with_card(card, agent_card.Card.of(card).interfaces(draft.endpoint))


def _connect_reviews(project: Project, agent: Agent, by: User, origin: str) -> None:
    """The endpoint behind OAuth, in the two passes of a person: the redirect URL exists only once it is saved."""
    draft = Draft(
        f"{origin}/review", CARD_PATH, False, OAUTH, _oauth(origin, "registered in a moment"), name="review-agent"
    )
    draft = _with_card(draft)
    connection = keeping.connect(project, draft, by, for_agent=agent)
    client_id, secret = _registered(origin, redirect_uri(connection.id))
    stored = NewSecret("client_secret", 0, "", secret)
    keeping.change(connection, replace(draft, settings=_oauth(origin, client_id), secrets=(stored,)), by)
    speaking.allow(agent, by, people=None, until=None)


def _oauth(origin: str, client_id: str) -> dict:
    provider = f"{origin}/provider"
    return {
        "client_id": client_id,
        "authorization_url": f"{provider}/authorize",
        "token_url": f"{provider}/token",
        "revocation_url": f"{provider}/revoke",
        "userinfo_url": f"{provider}/userinfo",
        "issuer": provider,
        "scopes": ["reviews:read", "reviews:comment", "profile"],
        "scope_words": {
            "reviews:read": "Read your pull requests and their reviews",
            "reviews:comment": "Comment on pull requests as you",
            "profile": "See your user name",
        },
        "pkce": "S256",
        "client_auth": "basic",
    }


def _registered(origin: str, redirect_url: str) -> tuple[str, str]:
    """(client id, client secret) from the demo provider's registration, which answers this machine only (RFC 7591)."""
    wanted = {
        "redirect_uris": [redirect_url],
        "client_name": "Gatehouse",
        "scope": "reviews:read reviews:comment profile",
    }
    answer = outbound.fetch(
        "POST",
        f"{origin}/provider/register",
        headers=[("Content-Type", "application/json")],
        data=json.dumps(wanted).encode(),
    )
    registration = json.loads(answer.body)
    return registration["client_id"], registration["client_secret"]


def _drafts(origin: str, key: str) -> list[Draft]:
    stored = NewSecret("credential", 0, "x-api-key", key)
    return [
        Draft(f"{origin}/ledger", CARD_PATH, False, "key-based", {}, (stored,), name="ledger-agent"),
        Draft(f"{origin}/weather", CARD_PATH, False, "unauthenticated", {}, name="weather"),
    ]


def _addresses() -> list[dict]:
    connections = Connection.objects.filter(project__name=PROJECT).select_related("project").order_by("name")
    return [{"name": c.name, "auth_method": c.auth_method, "gateway_url": c.gateway_url} for c in connections]


def _write(path: Path, facts: dict) -> None:
    """With mode 600 from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(facts, indent=2) + "\n")
