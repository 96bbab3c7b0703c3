"""Error pages, and what never appears on them or in a report."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.debug import SafeExceptionReporterFilter

from portal.audit import events, log
from portal.projects.access import NeedsRole
from portal.projects.models import RoleAssignment
from portal.projects.roles import GIVES, Role, roles_with
from portal.projects.scope import Scope
from portal.users import User


class NothingSecret(SafeExceptionReporterFilter):
    """Reports carry no form fields, no local variables and no query strings: any of them may hold a secret (3.5)."""

    def is_active(self, request) -> bool:
        return True

    def get_post_parameters(self, request):
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request is not None else {}

    def get_traceback_frame_variables(self, request, tb_frame):
        return [(name, self.cleansed_substitute) for name in tb_frame.f_locals]

    def get_safe_request_meta(self, request):
        meta = super().get_safe_request_meta(request)
        return {name: meta[name] for name in ("REQUEST_METHOD", "PATH_INFO") if name in meta}


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: which role would do, which the person has, and who can give it."""
    context = {"request_id": getattr(request, "request_id", "")}
    if isinstance(exception, NeedsRole):
        context |= _who_can_help(request, exception)
        log.record(
            events.ACCESS_DENIED,
            log.Actor.of(request.user),
            outcome=events.Outcome.NOT_PERMITTED,
            project=exception.project,
            details={"what": exception.permission.label, "path": request.path},
        )
    return render(request, "403.html", context, status=403)


def _who_can_help(request: HttpRequest, refusal: NeedsRole) -> dict:
    needed = roles_with(refusal.permission)
    access = getattr(request, "access", None)
    place = refusal.project.name if refusal.project else "the portal"
    givers = _givers(refusal, needed[0])
    return {
        "what": refusal.permission.label,
        "project": refusal.project,
        "needed_roles": [role.label for role in needed],
        "had_roles": [role.label for role in access.roles] if access else [],
        "givers": givers,
        "give_url": Scope(refusal.project).url("role-give") if _is_among(request.user, givers) else "",
        "ask_for": f"{needed[0].label} on {place} for {request.user.email}",
    }


def _givers(refusal: NeedsRole, role: Role) -> list[dict]:
    able = [giver for giver, gives in GIVES.items() if role in gives]
    rows = RoleAssignment.objects.current().reaching(refusal.project).filter(role__in=able, user__is_active=True)
    people = {row.user_id: row for row in rows.select_related("user").order_by("user__name")}
    return [{"name": str(row.user), "email": row.user.email, "role": row.get_role_display()} for row in people.values()]


def _is_among(user: User, givers: list[dict]) -> bool:
    return any(giver["email"] == user.email for giver in givers)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403.html", {"csrf": True, "request_id": getattr(request, "request_id", "")}, status=403)
