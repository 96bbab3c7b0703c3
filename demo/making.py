"""Makes the demo by the verbs that the pages call, so that the log shows it being set up.

Passwords and the agent's key are random and stand in no place but var/demo.json (mode 600), made once.
"""

import json
import os
import secrets
from pathlib import Path

from django.conf import settings

from connections.models import Connection
from demo import connecting, connecting_staff
from demo.locks import KEY_HEADER
from portal import installation
from portal.agents import keys, registering
from portal.agents.models import Agent
from portal.identities import tokens
from portal.identities.models import Identity, Source
from portal.projects import assignments, first_owner, founding
from portal.projects.models import Project
from portal.projects.roles import Role
from portal.users import User

PROJECT = "contoso-support"
AGENT = "support-bot"
ADMINISTRATOR = "ana.ruiz@contoso.example"
MEMBERS = [("Ben Okafor", Role.AI_USER), ("Chloe Martin", Role.AI_USER), ("Dev Patel", Role.AUDITOR)]
# What var/demo.json was made with. The first had no agents for staff.
EDITION = 2


class Refused(Exception):
    """This is no place for a demo; the sentence says why and what to do."""


def ensure() -> None:
    """Makes what is missing and writes the facts with today's addresses: the port may differ from start to start."""
    _refuse_elsewhere()
    kept = settings.VAR_DIR / "demo.json"
    facts = json.loads(kept.read_text()) if kept.exists() else _make()
    _add_later_parts(facts)
    if facts["url"] != settings.PUBLIC_URL:
        _forget_tokens_of_another_address()
    today = {"url": settings.PUBLIC_URL, "connections": _addresses(), "endpoints": [_with_a_key()]}
    _write(kept, {**facts, "edition": EDITION, **today})


def test_what_waited() -> list[str]:
    """Sentences on the connections that did not pass. For when the portal answers: endpoints ask it for its keys."""
    _refuse_elsewhere()
    by = User.objects.filter(email=ADMINISTRATOR).first()
    return connecting_staff.test_untested(PROJECT, by) if by else []


def _refuse_elsewhere() -> None:
    if not settings.DEMO:
        raise Refused("The demo is only made where GATEHOUSE_DEMO=1 is set: make run does that.")
    if not installation.verify().is_demo:
        raise Refused("This database is not a demo's. Unset GATEHOUSE_DEMO, or use an empty database.")


def _make() -> dict:
    """The people, the project, the agent and its connections; returns what can't be read back later."""
    if Project.objects.exists():
        raise Refused("var/demo.json is gone, and with it the demo's passwords. Run rm -r var for a fresh demo.")
    ana = first_owner.create_owner(ADMINISTRATOR, "Ana Ruiz")
    project = founding.create(PROJECT, ana, description="Agents that answer customers of Contoso")
    sign_ins = [_sign_in(ana, "Administrator: Owner and Azure AI Owner"), *_members(project, ana)]
    agent = registering.register(project, AGENT, ana, description="Answers customers of Contoso Support.")
    _, key = keys.make(agent, "web", ana)
    connecting.connect(project, agent, ana)
    return {"url": "", "project": PROJECT, "users": sign_ins, "agents": [{"name": AGENT, "key": key}]}


def _add_later_parts(facts: dict) -> None:
    """Once only, so that what somebody has removed since does not come back with the next start."""
    if facts.get("edition", 1) >= EDITION:
        return
    agent = Agent.objects.filter(project__name=PROJECT, name=AGENT).select_related("project").first()
    by = User.objects.filter(email=ADMINISTRATOR).first()
    if agent and by:
        connecting_staff.connect(agent.project, agent, by, os.environ["DEMO_ENDPOINT_URL"])


def _forget_tokens_of_another_address() -> None:
    """The portal's address is in them as their issuer, and the endpoint takes only those of today's."""
    tokens.forget(Identity.objects.filter(source=Source.PORTAL))


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


def _addresses() -> list[dict]:
    connections = Connection.objects.filter(project__name=PROJECT).select_related("project").order_by("name")
    return [{"name": c.name, "auth_method": c.auth_method, "gateway_url": c.gateway_url} for c in connections]


def _with_a_key() -> dict:
    """What a person types to connect the ledger once more by hand."""
    url = os.environ["DEMO_ENDPOINT_URL"]
    return {"endpoint": f"{url}/ledger", "header": KEY_HEADER, "value": os.environ["DEMO_ENDPOINT_KEY"]}


def _write(path: Path, facts: dict) -> None:
    """With mode 600 from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(facts, indent=2) + "\n")
