"""What every page request passes: an id, the reader's time zone, and the rule that undeclared views don't answer."""

import zoneinfo
from functools import cache

from django.http import Http404
from django.urls import resolve
from django.utils import timezone
from django.utils.cache import patch_cache_control

from portal.audit.context import current_request, new_request_id

# allauth's own views guard themselves; these are the ones that the portal uses. Sign-up is closed.
ALLAUTH_VIEWS = frozenset(
    {
        "account_login",
        "account_logout",
        "account_inactive",
        "account_reauthenticate",
        "account_change_password",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
        "mfa_index",
        "mfa_authenticate",
        "mfa_reauthenticate",
        "mfa_activate_totp",
        "mfa_deactivate_totp",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
        "mfa_download_recovery_codes",
    }
)


class RequestIdMiddleware:
    """One id for the answer, the log and the error page."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        request.request_id = new_request_id()
        token = current_request.set(request.request_id)
        try:
            response = self.get_response(request)
        finally:
            current_request.reset(token)
        response["x-request-id"] = request.request_id
        return response


class PrivatePagesMiddleware:
    """Pages are about one person: no cache keeps them (the back button after signing out shows nothing)."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, no_store=True, private=True)
        return response


@cache
def _known_zones() -> frozenset[str]:
    # Reads the file system for some 50 ms, so once per process.
    return frozenset(zoneinfo.available_timezones())


class TimeZoneMiddleware:
    """Times are shown in the zone that the reader's browser named in a cookie, else in UTC."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        name = request.COOKIES.get("tz", "")
        if name and name in _known_zones():
            with timezone.override(name):
                return self.get_response(request)
        return self.get_response(request)


class DefaultDenyMiddleware:
    """A view without a declared permission does not answer (T04). See `portal.projects.access`."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs) -> None:
        if not is_declared(view, resolve(request.path_info).url_name):
            raise Http404


def is_declared(view, url_name: str | None) -> bool:
    return hasattr(view, "declares") or (view.__module__.startswith("allauth.") and url_name in ALLAUTH_VIEWS)
