"""Connections in the search of the banner, and what can go wrong with them."""

import re
from uuid import UUID

from django.urls import reverse

from connections.gateway.telling import refusal_of
from connections.models import Connection
from connections.troubleshooting import CATALOGUE, Entry
from portal.projects.roles import Permission
from portal.search.found import MOST, Found, projects_with
from portal.users import User

RPC_CODE = re.compile(r"-32\d{3}")
# Fewer letters of a headline are part of too many.
SHORTEST_HEADLINE = 8


def meanings(user: User, words: str) -> list[Found]:
    """What a JSON-RPC code stands for, or what has this headline; for everybody, like the codes themselves."""
    is_meant = _is_told_as if RPC_CODE.fullmatch(words) else _has_headline
    met = (entry for entry in CATALOGUE.values() if is_meant(entry, words))
    address = reverse("search")
    return [Found("Explanation", entry.title, f"{address}?q={entry.code}", hint=entry.code) for entry in met]


def _is_told_as(entry: Entry, number: str) -> bool:
    refusal = refusal_of(entry.code)
    return refusal is not None and str(refusal.kind.code) == number


def _has_headline(entry: Entry, words: str) -> bool:
    title, asked = entry.title.lower(), words.lower().rstrip(".")
    return len(asked) >= SHORTEST_HEADLINE and (asked in title or title in asked)


def connections(user: User, words: str) -> list[Found]:
    rows = Connection.objects.filter(
        project__in=projects_with(user, Permission.CONNECTION_READ), name__icontains=words
    ).select_related("project")
    return [
        Found(
            "Connection",
            row.name,
            reverse("connection", args=[row.project.name, row.name]),
            row.project.name,
            row.display_name,
        )
        for row in rows.order_by("name")[:MOST]
    ]


def page_of(user: User, connection: UUID) -> str:
    """The address of a connection's page, for whoever may open it."""
    row = Connection.objects.filter(id=connection, project__in=projects_with(user, Permission.CONNECTION_READ))
    found = row.select_related("project").first()
    return reverse("connection", args=[found.project.name, found.name]) if found else ""
