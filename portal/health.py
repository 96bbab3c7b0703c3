"""`/healthz`: this process answers. `/readyz`: it could also do its work."""

from django.http import HttpRequest, JsonResponse

from portal import readiness
from portal.projects.access import public
from portal.readiness import Part, State


@public
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@public
def readyz(request: HttpRequest) -> JsonResponse:
    """503 names the part that is missing, and nothing about where it is. A degraded one does not stop calls: 200."""
    found = readiness.parts()
    ready = readiness.is_ready(found)
    return JsonResponse(
        {"status": _in_a_word(found, ready), "parts": {part.name: _shown(part) for part in found}},
        status=200 if ready else 503,
    )


def _in_a_word(found: list[Part], ready: bool) -> str:
    if not ready:
        return "not ready"
    return "ready" if all(part.state is State.OK for part in found) else "degraded"


def _shown(part: Part) -> dict[str, str]:
    return {"state": part.state, **({"why": part.why} if part.why else {})}
