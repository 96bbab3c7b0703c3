""" "Find settings" and a method's own buttons: the network is asked for the form, and how often is limited."""

import time
from dataclasses import replace

from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from connections.entry import Entry
from connections.first_look import ADDRESS_REFUSED, Look, look
from connections.methods import methods
from connections.methods.base import Acted
from connections.models import Connection
from portal.projects.models import Project
from portal.users import User

FIND = "find-settings"
PRESSES_PER_MINUTE = 6
TOO_OFTEN = "You have asked often within this minute, so nobody was asked now. Wait a minute, then press again."
ENDPOINT_FIRST = "Settings are looked for at the endpoint. {}"


def finds(action: str) -> bool:
    """ "find-settings", or with something chosen "find-settings:<choice>"."""
    return action.partition(":")[0] == FIND


@sensitive_variables()
def find_settings(
    request: HttpRequest, project: Project, stored: Connection | None = None
) -> tuple[Entry, Look | None]:
    """Comes back with everything typed except secrets, and with what was found where nothing was typed."""
    draft, refusal = Entry(project, stored, data=request.POST).draft_for_card()
    entry = Entry(project, stored, typed=request.POST)
    if draft is None:
        messages.warning(request, ENDPOINT_FIRST.format(refusal))
    elif entry.method.finds_settings and _may_press(request):
        # Neither a stored value nor one just typed goes along.
        bare = replace(draft, secrets=(), send_credentials_for_card=False)
        return entry, _find(request, entry, bare.rehearsed(project, request.user))
    return entry, None


def _find(request: HttpRequest, entry: Entry, rehearsed: Connection) -> Look:
    seen = look(rehearsed, request.user)
    if seen.problem and seen.problem.code in ADDRESS_REFUSED:
        messages.warning(request, ENDPOINT_FIRST.format(f"{seen.problem.title}. {seen.problem.resolution}"))
    else:
        typed = dict(entry.settings.initial)
        if entry.connection is not None and seen.card is None and seen.problem:
            # The page of a new connection has a panel that says it.
            messages.warning(request, f"{seen.problem.title}. {seen.problem.cause}")
        choice = request.POST["action"].partition(":")[2]
        entry.take(entry.method.find(rehearsed.endpoint, seen.card, typed, choice))
    return seen


def method_actions(connection: Connection) -> tuple[str, ...]:
    known = connection.auth_method in methods()
    return tuple(methods()[connection.auth_method].actions) if known else ()


def act(request: HttpRequest, connection: Connection, action: str) -> Acted | None:
    """None where somebody presses too often, which they are told."""
    if not _may_press(request):
        return None
    return methods()[connection.auth_method].act(action, connection, request.user)


def tell(request: HttpRequest, acted: Acted | None) -> None:
    if acted is not None:
        (messages.success if acted.done else messages.warning)(request, acted.sentence)


def _may_press(request: HttpRequest) -> bool:
    if _presses(request.user) <= PRESSES_PER_MINUTE:
        return True
    messages.warning(request, TOO_OFTEN)
    return False


def _presses(user: User) -> int:
    """Of this person within this minute, this one included."""
    key = f"asked-the-network:{user.id}:{int(time.time()) // 60}"
    count = cache.get(key, 0) + 1
    cache.set(key, count, timeout=120)
    return count
