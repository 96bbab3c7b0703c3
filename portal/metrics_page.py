"""`/metrics`, for Prometheus: with the token of METRICS_TOKEN or, where none is set, from this machine only."""

import hmac
import ipaddress
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal import measures, metrics

# Who sends one of these came through a proxy: then the peer is the proxy, and says nothing about who asks.
FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_CF_CONNECTING_IP")


def for_prometheus(view: Callable) -> Callable:
    """Declares a view for whoever brings the token; without a configured one, for a program on this machine."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if settings.METRICS_TOKEN:
            if not _brings_token(request):
                return _refusal(401, "This needs the token of METRICS_TOKEN, as Authorization: Bearer.")
        elif not _is_of_this_machine(request):
            return _refusal(403, "Without METRICS_TOKEN this answers only programs on the same machine.")
        return view(request)

    guarded.declares = "prometheus"
    return guarded


@for_prometheus
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return HttpResponse(metrics.page(measures.now()), content_type=metrics.CONTENT_TYPE)


def _brings_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode())


def _is_of_this_machine(request: HttpRequest) -> bool:
    if any(name in FORWARDED or name.startswith("HTTP_X_FORWARDED") for name in request.META):
        return False
    try:
        peer = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback


def _refusal(status: int, why: str) -> HttpResponse:
    answer = HttpResponse(f"{why}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="gatehouse metrics"'
    return answer
