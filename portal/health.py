"""`/healthz`: this process answers. `/readyz`: it could also do its work."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from portal import vault
from portal.audit import changes
from portal.projects.access import public


@public
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@public
def readyz(request: HttpRequest) -> JsonResponse:
    """503 names the part that is missing, and nothing about where it is."""
    parts = {"database": _database_answers(), "key_ring": _ring_is_there()}
    ready = all(parts.values())
    return JsonResponse({"status": "ok" if ready else "not ready", **parts}, status=200 if ready else 503)


def _database_answers() -> bool:
    try:
        changes.read()
    except DatabaseError:
        connection.close()
        return False
    return True


def _ring_is_there() -> bool:
    try:
        vault.ring()
    except vault.KeyUnavailable:
        return False
    return True
