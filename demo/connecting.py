"""Connects the demo's endpoints: behind a key, open, and behind each person's own account."""

import json
import os
from dataclasses import replace

from connections import agent_card, keeping, probes
from connections.drafts import Draft
from connections.models import CARD_PATH
from connections.secrets import NewSecret
from consent.method import OAuthIdentityPassthrough
from consent.terms import redirect_uri
from portal.agents import speaking
from portal.agents.models import Agent
from portal.outbound import session as outbound
from portal.projects.models import Project
from portal.users import User

OAUTH = OAuthIdentityPassthrough.slug


def connect(project: Project, agent: Agent, by: User) -> None:
    """All three, given to `agent`; the portal is not needed to test the first two."""
    for draft in _drafts(os.environ["DEMO_ENDPOINT_URL"], os.environ["DEMO_ENDPOINT_KEY"]):
        connection = keeping.connect(project, with_card(draft), by, for_agent=agent)
        probes.test(connection, by)
    _connect_reviews(project, agent, by, os.environ["DEMO_ENDPOINT_URL"])


def with_card(draft: Draft) -> Draft:
    """With the card that is at its endpoint now."""
    card = agent_card.fetch([f"{draft.endpoint}{draft.card_path}"]).card
    return draft.with_card(card, agent_card.Card.of(card).interfaces(draft.endpoint))


def _connect_reviews(project: Project, agent: Agent, by: User, origin: str) -> None:
    """The endpoint behind OAuth, in the two passes of a person: the redirect URL exists only once it is saved."""
    draft = Draft(
        f"{origin}/review", CARD_PATH, False, OAUTH, _oauth(origin, "registered in a moment"), name="review-agent"
    )
    draft = with_card(draft)
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
