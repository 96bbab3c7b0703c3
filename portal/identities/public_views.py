"""What an endpoint reads to verify tokens of the portal's own issuer. Everybody may."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from portal.identities import issuer, signing_keys
from portal.projects.access import public

# A rotated key is published an hour before it signs, so an endpoint may keep the answer for minutes.
KEEP_SECONDS = 300


@public
@require_safe
@conditional_page
@cache_control(public=True, max_age=KEEP_SECONDS)
def metadata(request: HttpRequest) -> JsonResponse:
    return JsonResponse(issuer.metadata())


@public
@require_safe
@conditional_page
@cache_control(public=True, max_age=KEEP_SECONDS)
def jwks(request: HttpRequest) -> JsonResponse:
    return JsonResponse(signing_keys.jwks(), content_type="application/jwk-set+json")
