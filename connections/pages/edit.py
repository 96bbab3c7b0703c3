"""Edit connection: everything but the name. A change of where values go asks first, then clears them (T01)."""

from dataclasses import replace

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from connections import keeping
from connections.agent_card import Card
from connections.drafts import Draft
from connections.entry import Entry
from connections.first_look import ADDRESS_REFUSED, look
from connections.guidance import goals
from connections.methods import methods
from connections.models import CARD_PATH, Connection
from connections.pages.finding import act, find_settings, finds, method_actions, tell
from connections.pages.frame import around, find
from connections.pages.testing import test_and_tell
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

CHANGED_MEANWHILE = (
    "Somebody else changed this connection while you were editing it, so nothing was saved. Below is what you entered. "
    "Look at the connection as it is now, then save again."
)
NOT_SAVED_YET = (
    "Something here is not saved yet, and this button works with what is saved. Update first, then press it."
)
SOME_TYPED = "The address changes, so the stored value is cleared. Enter the value for the new address."


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
@requires(Permission.CONNECTION_WRITE)
def edit(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    stored = find(project, connection)
    if request.method != "POST":
        asks = not (stored.card and Card.of(stored.card).interfaces(stored.endpoint))
        method = request.GET.get("auth_method", "")
        return _form(request, stored, Entry(project, stored, method=method, asks_bindings=asks))
    action = request.POST.get("action", "save")
    if finds(action):
        return _form(request, stored, find_settings(request, project, stored)[0], typed=True)
    if action in method_actions(stored):
        return _act(request, stored, action)
    if action != "save":
        more = action == "add-credential"
        return _form(request, stored, Entry(project, stored, typed=request.POST, more=more), typed=True)
    return _save(request, stored)


@sensitive_variables()
def _act(request: HttpRequest, stored: Connection, action: str) -> HttpResponse:
    """A button of the method's own. It works on what is saved, so what was typed must be that."""
    entry = Entry(stored.project, stored, data=request.POST)
    if not entry.is_valid():
        return _form(request, stored, entry)
    if not entry.draft().is_saved_in(stored):
        entry.refuse("", NOT_SAVED_YET)
        return _form(request, stored, entry)
    tell(request, act(request, as_read(stored, request.POST), action))
    return redirect("connection-edit", stored.project.name, stored.name)


@sensitive_variables()
def _save(request: HttpRequest, stored: Connection) -> HttpResponse:
    entry = Entry(stored.project, stored, data=request.POST)
    if not entry.is_valid():
        return _form(request, stored, entry)
    draft, refusal = _with_addresses(request, stored, entry.draft())
    if refusal:
        entry.refuse("endpoint", refusal)
        return _form(request, stored, entry)
    clearing = request.POST.get("clearing") == "yes"
    try:
        changed = keeping.change(as_read(stored, request.POST), draft, request.user, clearing=clearing)
    except keeping.WouldClear as question:
        return _ask(request, stored, entry, draft, question)
    except keeping.ChangedMeanwhile:
        entry.refuse("", CHANGED_MEANWHILE)
        return _form(request, find(stored.project, stored.name), entry)
    return _saved(request, changed)


def _with_addresses(request: HttpRequest, stored: Connection, draft: Draft) -> tuple[Draft, str]:
    """Another endpoint or card path is read before it is saved; else the card stays the confirmed one."""
    rehearsed = replace(draft, name=stored.name).rehearsed(stored.project, request.user)
    if (rehearsed.endpoint, rehearsed.card_url) == (stored.endpoint, stored.card_url):
        asked = "asks_bindings" in request.POST
        return (draft.with_card(stored.card, draft.chosen_interfaces()) if asked else draft), ""
    seen = look(rehearsed, request.user)
    if seen.problem and seen.problem.code in ADDRESS_REFUSED:
        return draft, f"{seen.problem.title}. {seen.problem.resolution}"
    return seen.complete(draft), ""


def as_read(stored: Connection, sent: QueryDict) -> Connection:
    """The connection with the moment at which the page showed it, so that a later change is noticed."""
    stored.changed_at = _moment(sent.get("read_at", "")) or stored.created_at
    return stored


def _moment(text: str):
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def _ask(
    request: HttpRequest, stored: Connection, entry: Entry, draft: Draft, question: keeping.WouldClear
) -> HttpResponse:
    if draft.secrets and question.lost and not question.method_changes:
        lost = {(secret.field, secret.position) for secret in question.lost}
        for row in entry.rows:
            if (row.field.slug, row.position) in lost:
                row.add_error("value", SOME_TYPED)
        entry.refuse("", "One value was entered and another was not.")
        return _form(request, stored, entry)
    if draft.secrets and not question.costs:
        # The old method's values go anyway; the new method's were typed, so there is nothing to ask.
        return _saved(request, keeping.change(stored, draft, request.user, clearing=True))
    context = around(request, stored) | {
        "echo": Echo(request.POST, leave_out=entry.value_names),
        "lost": question.lost,
        "effects": [*_cleared(entry, question), *([question.costs] if question.costs else [])],
        "typed": bool(draft.secrets),
        "what": _what_changes(stored, draft, question),
        "new_endpoint": draft.endpoint,
        "agents": [given.agent.name for given in stored.given.select_related("agent")],
    }
    return render(request, "connections/clearing.html", context)


def _cleared(entry: Entry, question: keeping.WouldClear) -> list[str]:
    """ "clears the client secret" """
    method = methods()[entry.connection.auth_method] if question.lost else entry.method
    fields = {field.slug: field for field in method.secret_fields}
    lost = [fields[secret.field] for secret in question.lost if secret.field in fields]
    words = dict.fromkeys(f"{field.label.lower()}{' value' if field.named else ''}" for field in lost)
    return [f"clears the {' and the '.join(words)}"] if words else []


def _what_changes(stored: Connection, draft: Draft, question: keeping.WouldClear) -> str:
    if question.method_changes:
        return "method"
    return "address" if question.lost or draft.endpoint != stored.endpoint else "settings"


class Echo(forms.Form):
    """What was entered, without any value, carried through a question."""

    use_required_attribute = False

    def __init__(self, sent: QueryDict, leave_out: list[str]) -> None:
        super().__init__(auto_id=False)
        for name in sent:
            if name not in {"csrfmiddlewaretoken", "clearing", "action", *leave_out}:
                values = sent.getlist(name)
                widget = forms.MultipleHiddenInput() if len(values) > 1 else forms.HiddenInput()
                initial = values if len(values) > 1 else values[0]
                self.fields[name] = forms.Field(widget=widget, initial=initial, required=False)


def _saved(request: HttpRequest, changed: Connection) -> HttpResponse:
    place = (changed.project.name, changed.name)
    if request.POST.get("value_again") == "yes" and changed.secrets.exists():
        messages.success(request, f"{changed.name} is changed. Enter the new value again.")
        return redirect("connection-replace", *place)
    if any(not secret.is_set for secret in changed.secrets.all()):
        messages.warning(
            request, f"{changed.name} is changed and its stored value cleared. Enter the value for the new address."
        )
        return redirect("connection-replace", *place)
    messages.success(request, f"{changed.name} is changed.")
    test_and_tell(request, changed)
    return redirect("connection", *place)


def _form(request: HttpRequest, stored: Connection, entry: Entry, *, typed: bool = False) -> HttpResponse:
    context = around(request, stored) | {
        "entry": entry,
        "title": "The connection was not changed.",
        "read_at": stored.changed_at.isoformat(),
        "agreed": request.POST.get("clearing") == "yes",
        "card": Card.of(stored.card) if stored.card else None,
        "had_values": typed and any(request.POST.get(name) for name in entry.value_names),
        "methods": list(methods()),
        "goals": goals(),
        "card_path": CARD_PATH,
        "back": reverse("connection", args=[stored.project.name, stored.name]),
    }
    return render(request, "connections/edit.html", context, status=422 if entry.is_bound else 200)
