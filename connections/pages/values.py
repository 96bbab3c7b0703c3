"""Replace value: a new secret for an address that stays, and how long the old one is kept beside it."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from connections import keeping, secret_rows
from connections.methods import method_of, methods
from connections.models import Connection
from connections.pages.edit import as_read
from connections.pages.frame import around, find
from connections.pages.testing import test_and_tell
from connections.secret_rows import SecretRow
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

CHANGED_MEANWHILE = (
    "Somebody else changed this connection while you were typing, so nothing was saved. Check below where the value is "
    "sent now, and enter it again."
)


FORMER_HOURS = {"": "Destroy it now", "1": "Keep it for 1 hour", "24": "Keep it for 1 day", "168": "Keep it for 7 days"}


class FormerForm(forms.Form):
    """What becomes of the value that is replaced."""

    keep_former = forms.ChoiceField(
        label="Old value",
        help_text="While it is kept, a call whose new value is refused is tried once with the old one. Choose it "
        "where the endpoint, or the provider, learns of the new value later.",
        choices=list(FORMER_HOURS.items()),
        required=False,
        error_messages={"invalid_choice": "Choose one of the times in the list."},
    )

    @property
    def chosen(self) -> timedelta | None:
        hours = self.cleaned_data["keep_former"]
        return timedelta(hours=int(hours)) if hours else None


class Rows:
    """The rows of the connection's own secrets, as one form."""

    def __init__(self, connection: Connection, data=None) -> None:
        self.method, self.is_bound = method_of(connection), data is not None
        fields = self.method.secret_fields_with(connection.settings)
        self.rows = secret_rows.rows_of(fields, connection.secrets.select_related("set_by"), data)
        addresses = {url for field in fields for url in self.method.addresses(connection, field.slug)}
        self.sent_to = sorted(address.removeprefix("https://") for address in addresses)
        self.general: list[str] = []
        self.former = FormerForm(data, auto_id="%s") if self.method.keeps_former else None

    def is_valid(self) -> bool:
        results = [row.is_valid() for row in self.rows]
        if all(results):
            secret_rows.check(self.method, self.rows)
            if not any(row.cleaned_data.get("value") for row in self.rows):
                self.rows[0].add_error("value", f"Enter the new {self.rows[0].value_label.lower()}.")
        if any(form.errors for form in self.forms):
            secret_rows.ask_again(self.rows)
        return not any(form.errors for form in self.forms)

    @property
    def forms(self) -> list[forms.Form]:
        return [*self.rows, *([self.former] if self.former else [])]

    @property
    def typed(self) -> list[SecretRow]:
        return [row for row in self.rows if row.cleaned_data.get("value")]

    @property
    def kept(self) -> dict:
        """The stored ones without a new value, with the expiry date that stands beside them now."""
        untouched = [row for row in self.rows if row.stored and not row.cleaned_data.get("value")]
        return {(row.field.slug, row.position): row.cleaned_data["expires_on"] for row in untouched}

    @property
    def has_one(self) -> bool:
        """Nothing else could be replaced, so its value can't be left empty."""
        return len(self.rows) == 1

    def non_field_errors(self) -> list[str]:
        return self.general

    def __iter__(self):
        for form in self.forms:
            yield from form


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
@requires(Permission.CONNECTION_WRITE)
def replace(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    stored = find(project, connection)
    if stored.auth_method not in methods() or not method_of(stored).secret_fields_with(stored.settings):
        raise Http404
    entry = Rows(stored, request.POST if request.method == "POST" else None)
    if not entry.is_bound or not entry.is_valid():
        return _form(request, stored, entry)
    new = [row.entered() for row in entry.typed]
    keep_former = entry.former.chosen if entry.former else None
    try:
        keeping.replace(as_read(stored, request.POST), new, entry.kept, request.user, keep_former)
    except keeping.ChangedMeanwhile:
        entry.general.append(CHANGED_MEANWHILE)
        secret_rows.ask_again(entry.rows)
        return _form(request, find(project, connection), entry)
    stored = find(project, connection)
    messages.success(request, "The value is replaced. Agents use it from their next call on.")
    test_and_tell(request, stored)
    return redirect("connection", project.name, stored.name)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def end_former(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    """A GET, where somebody had to sign in first, only leads back to the button."""
    found = find(project, connection)
    if request.method == "POST":
        ended = keeping.end_former(found, request.user)
        messages.success(request, "The former value is destroyed." if ended else "There was no former value any more.")
    return redirect("connection", project.name, found.name)


def _form(request: HttpRequest, stored: Connection, entry: Rows) -> HttpResponse:
    context = around(request, stored) | {
        "entry": entry,
        "read_at": stored.changed_at.isoformat(),
        "agents": [given.agent.name for given in stored.given.select_related("agent")],
    }
    return render(request, "connections/replace.html", context, status=422 if entry.is_bound else 200)
