"""Connect a tool: choose what, fill one form, and see at once whether it works."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from connections import keeping
from connections.entry import Entry
from connections.first_look import ADDRESS_REFUSED, Look, look
from connections.guidance import goals
from connections.methods import method_of, methods
from connections.models import CARD_PATH, Connection
from connections.pages.finding import find_settings, finds
from connections.pages.testing import test_and_tell
from connections.standing import standings
from portal.agents.models import Agent
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

TITLE = "The connection was not saved."


@require_http_methods(["GET", "HEAD"])
@requires(Permission.CONNECTION_WRITE)
def connect(request: HttpRequest, project: Project) -> HttpResponse:
    """The tabs: what is connected already, and the tiles of what can be."""
    agent = _for_agent(request, project)
    tab = "configured" if request.GET.get("tab") == "configured" else "custom"
    context = {
        "project": project,
        "agent": agent,
        "tab": tab,
        "standings": standings(project) if tab == "configured" else [],
        "first_method": next(iter(methods())).slug,
        "back": _back(project, agent),
    }
    return render(request, "connections/connect.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
@requires(Permission.CONNECTION_WRITE)
def connect_a2a(request: HttpRequest, project: Project) -> HttpResponse:
    action = request.POST.get("action", "connect")
    if request.method != "POST":
        return _form(request, project, Entry(project, method=request.GET.get("auth_method", "")))
    if action == "read-card":
        return _read_card(request, project)
    if finds(action):
        return _form(request, project, *find_settings(request, project), typed=True)
    if action != "connect":
        entry = Entry(project, typed=request.POST, more=action == "add-credential")
        return _form(request, project, entry, _look_again(request, project), typed=True)
    return _connect(request, project)


@sensitive_variables()
def _connect(request: HttpRequest, project: Project) -> HttpResponse:
    entry, agent = Entry(project, data=request.POST), _for_agent(request, project)
    if not entry.is_valid():
        return _form(request, project, entry, _look_again(request, project))
    draft = entry.draft()
    # The network comes before the transaction, and once: what is saved is what was seen.
    seen = look(draft.rehearsed(project, request.user), request.user)
    if seen.problem and seen.problem.code in ADDRESS_REFUSED:
        entry.refuse("endpoint", f"{seen.problem.title}. {seen.problem.resolution}")
        return _form(request, project, entry, seen)
    try:
        connection = keeping.connect(project, seen.complete(draft), request.user, agent)
    except keeping.NameTaken:
        entry.refuse("name", "Somebody connected a tool under this name just now. Choose another name.")
        return _form(request, project, entry, seen)
    if seen.problem:
        messages.warning(request, f"{seen.problem.title}. Calls go to the endpoint itself. {seen.problem.resolution}")
    return _connected(request, connection, agent)


def _connected(request: HttpRequest, connection: Connection, agent: Agent | None) -> HttpResponse:
    if not method_of(connection).is_finished(connection):
        return _finish(request, connection)
    messages.success(request, f"{connection.name} is connected.")
    test_and_tell(request, connection)
    if agent is None:
        return redirect("connection", connection.project.name, connection.name)
    messages.success(request, f"{agent.name} can now call {connection.name}.")
    return redirect("agent", connection.project.name, agent.name)


def _finish(request: HttpRequest, connection: Connection) -> HttpResponse:
    """Some things an administrator gets only now, and needs before they can enter the rest."""
    names = " and the ".join(
        one.label[:1].lower() + one.label[1:] for one in method_of(connection).elsewhere(connection)
    )
    rest = f" Add the {names} to your app registration, then enter what is missing." if names else ""
    messages.success(request, f"{connection.name} is saved.{rest}")
    return redirect("connection-edit", connection.project.name, connection.name)


@sensitive_variables()
def _read_card(request: HttpRequest, project: Project) -> HttpResponse:
    """Comes back with everything typed except secrets, which were used for the card only where that was chosen."""
    entry = Entry(project, data=request.POST)
    draft, refusal = entry.draft_for_card()
    seen = look(draft.rehearsed(project, request.user), request.user) if draft else None
    suggestion = seen.suggestion if seen else None
    slug = (suggestion.method_slug or "") if suggestion and not _is_chosen(request, entry) else ""
    entry = Entry(project, typed=request.POST, method=slug, asks_bindings=not (seen and seen.is_usable))
    entry.suggest(suggestion)
    return _form(request, project, entry, seen, refusal=refusal, typed=True)


def _is_chosen(request: HttpRequest, entry: Entry) -> bool:
    """Whether somebody chose the method or began to fill it in; else it is the first, which the page chose."""
    is_other = entry.method.slug != next(iter(methods())).slug
    return is_other or _was_chosen(request) or any(request.POST.get(name) for name in entry.value_names)


def _was_chosen(request: HttpRequest) -> bool:
    return "method_chosen" in request.POST or request.POST.get("action") == "show-fields"


@sensitive_variables()
def _look_again(request: HttpRequest, project: Project) -> Look | None:
    """The card that the page showed, so that what somebody has just read does not vanish with another press.

    Not where a credential would go along: only Read agent card and Connect send one.
    """
    draft, _ = Entry(project, data=request.POST).draft_for_card() if "card_shown" in request.POST else (None, "")
    asks = draft is not None and not draft.send_credentials_for_card
    return look(draft.rehearsed(project, request.user), request.user) if asks else None


def _form(
    request: HttpRequest,
    project: Project,
    entry: Entry,
    seen: Look | None = None,
    *,
    refusal: str = "",
    typed: bool = False,
) -> HttpResponse:
    agent = _for_agent(request, project)
    context = {
        "project": project,
        "agent": agent,
        "entry": entry,
        "title": TITLE,
        "look": seen,
        "refusal": refusal,
        "suggested": seen.suggestion.method_slug if seen and seen.suggestion else "",
        "method_chosen": _was_chosen(request),
        "had_values": typed and any(request.POST.get(name) for name in entry.value_names),
        "methods": list(methods()),
        "goals": goals(),
        "card_path": CARD_PATH,
        "back": _back(project, agent),
    }
    return render(request, "connections/connect_a2a.html", context, status=422 if entry.is_bound else 200)


def _for_agent(request: HttpRequest, project: Project) -> Agent | None:
    """The agent from whose page somebody came, who gets the connection."""
    name = request.POST.get("for_agent") or request.GET.get("for_agent")
    return project.agents.filter(name=name).first() if name else None


def _back(project: Project, agent: Agent | None) -> str:
    return reverse("agent", args=[project.name, agent.name]) if agent else reverse("tools", args=[project.name])
