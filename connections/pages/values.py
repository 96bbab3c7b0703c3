"""Replace value: a new secret for an address that stays."""

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


class Rows:
    """The rows of the connection's own secrets, as one form."""

    def __init__(self, connection: Connection, data=None) -> None:
        self.method, self.is_bound = method_of(connection), data is not None
        self.rows = secret_rows.rows_of(self.method, connection.secrets.select_related("set_by"), data)
        addresses = {
            url for field in self.method.secret_fields for url in self.method.addresses(connection, field.slug)
        }
        self.sent_to = sorted(address.removeprefix("https://") for address in addresses)
        self.general: list[str] = []

    def is_valid(self) -> bool:
        results = [row.is_valid() for row in self.rows]
        if all(results):
            secret_rows.check(self.method, self.rows)
            if not any(row.cleaned_data.get("value") for row in self.rows):
                self.rows[0].add_error("value", f"Enter the new {self.rows[0].value_label.lower()}.")
        if any(row.errors for row in self.rows):
            secret_rows.ask_again(self.rows)
        return not any(row.errors for row in self.rows)

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
        for row in self.rows:
            yield from row


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
@requires(Permission.CONNECTION_WRITE)
def replace(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    stored = find(project, connection)
    if stored.auth_method not in methods() or not method_of(stored).secret_fields:
        raise Http404
    entry = Rows(stored, request.POST if request.method == "POST" else None)
    if not entry.is_bound or not entry.is_valid():
        return _form(request, stored, entry)
    new = [row.entered() for row in entry.typed]
    try:
        keeping.replace(as_read(stored, request.POST), new, entry.kept, request.user)
    except keeping.ChangedMeanwhile:
        entry.general.append(CHANGED_MEANWHILE)
        secret_rows.ask_again(entry.rows)
        return _form(request, find(project, connection), entry)
    stored = find(project, connection)
    messages.success(request, "The value is replaced. Agents use it from their next call on.")
    test_and_tell(request, stored)
    return redirect("connection", project.name, stored.name)


def _form(request: HttpRequest, stored: Connection, entry: Rows) -> HttpResponse:
    context = around(request, stored) | {
        "entry": entry,
        "read_at": stored.changed_at.isoformat(),
        "agents": [given.agent.name for given in stored.given.select_related("agent")],
    }
    return render(request, "connections/replace.html", context, status=422 if entry.is_bound else 200)
