"""The provider's answer. GET only: a cross-site POST brings no cookie, so it could be tied to nobody."""

from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from consent import coming_back
from consent.flow import FlowRefused
from consent.models import ConsentRequest
from consent.pages.asking import COOKIE
from consent.pages.frame import keep_private, refusal


# Nothing but GET is taken, so nothing can be forged; a `form_post` is told so, and not of a token that it can't have.
@csrf_exempt
@require_http_methods(["GET"])
def callback(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    return keep_private(_answer(request, connection_id), has_form=False)


@csrf_exempt
@require_http_methods(["GET"])
def callback_of_publisher(request: HttpRequest, publisher: str) -> HttpResponse:
    """Where publishers whose apps the portal manages send their answers: the connection is found by the state."""
    return keep_private(_answer(request, publisher), has_form=False)


# Not @signed_in: its way to the sign-in page would carry the code in an address.
callback.declares = callback_of_publisher.declares = "signed in"


def _answer(request: HttpRequest, at: UUID | str) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect_to_login(_link(coming_back.way_back(request.GET.get("state", ""), request.user)))
    try:
        grant = coming_back.complete(at, request.user, request.COOKIES.get(COOKIE, ""), request.GET)
    except FlowRefused as refused:
        return _refused(request, refused)
    # To an address without the code, which would otherwise stay in the browser's history.
    response = redirect("consent-done", coming_back.answered(grant).id)
    response.delete_cookie(COOKIE)
    return response


def _refused(request: HttpRequest, refused: FlowRefused) -> HttpResponse:
    if refused.request and ConsentRequest.objects.filter(pk=refused.request.pk, error=refused.code).exists():
        return redirect("consent-refused", refused.request.id)
    return refusal(request, refused, may_switch=False)


def _link(asking: ConsentRequest | None) -> str:
    return reverse("consent", args=[asking.id]) if asking else reverse("consents")
