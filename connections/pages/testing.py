"""Testing a connection from a page, and keeping what was found for the page that comes next."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from connections import probes
from connections.first_look import digest_of
from connections.models import Connection
from connections.pages.frame import find
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

KEPT = "tested"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def test(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    """A GET, where somebody had to sign in first, only leads back to the button."""
    tested = find(project, connection)
    if request.method == "POST":
        test_and_tell(request, tested)
    return redirect("connection", project.name, tested.name)


def test_and_tell(request: HttpRequest, connection: Connection) -> None:
    """Tests once; the next page of the connection shows the steps."""
    result = probes.test(connection, request.user)
    request.session[KEPT] = {
        "connection": str(connection.id),
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "detail": step.detail,
                "took_ms": step.took_ms,
                "claims": step.claims,
            }
            for step in result.steps
        ],
        "card_changed": _differs(connection, result.card),
    }


def result_for(request: HttpRequest, connection: Connection) -> dict | None:
    """What the test just now found, once."""
    kept = request.session.get(KEPT)
    if kept is None or kept["connection"] != str(connection.id):
        return None
    del request.session[KEPT]
    return kept


def _differs(connection: Connection, card: object) -> bool:
    """Whether the endpoint shows another card than the one that was saved."""
    raw = getattr(card, "raw", card)
    return raw is not None and digest_of(raw) != digest_of(connection.card)
