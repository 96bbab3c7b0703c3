"""Makes the demo by the verbs that the pages call, so that the log shows it being set up.

Passwords and the agent's key are random and stand in no place but var/demo.json (mode 600), made once.
"""

import json
import os
import secrets
from pathlib import Path

from django.conf import settings

from connections import agent_card, keeping, probes
from connections.drafts import Draft
from connections.models import CARD_PATH, Connection
from connections.secrets import NewSecret
from portal import installation
from portal.agents import keys, registering
from portal.agents.models import Agent
from portal.projects import assignments, first_owner, founding
from portal.projects.models import Project
from portal.projects.roles import Role
from portal.users import User

PROJECT = "contoso-support"
AGENT = "support-bot"
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
    """The demo's endpoint twice, once behind a key and once open; each is tested once, as the form does."""
    for draft in _drafts(os.environ["DEMO_ENDPOINT_URL"], os.environ["DEMO_ENDPOINT_KEY"]):
        card = agent_card.fetch([f"{draft.endpoint}{draft.card_path}"]).card
        interfaces = agent_card.Card.of(card).interfaces(draft.endpoint)
        connection = keeping.connect(project, draft.with_card(card, interfaces), by, for_agent=agent)
        probes.test(connection, by)


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
