"""The public keys of a connection, for the provider at which it signs who it is. Everybody may read them."""

from uuid import UUID

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from consent import client_keys
from portal.projects.access import public

# A key is published an hour before it signs, so a provider may keep the answer for minutes.
KEEP_SECONDS = 300


@public
@require_safe
@conditional_page
@cache_control(public=True, max_age=KEEP_SECONDS)
def jwks(request: HttpRequest, key_set: UUID) -> JsonResponse:
    """RFC 7517, 5. The id is random and names nothing: it tells nobody whose keys they are."""
    found = client_keys.published(key_set)
    if found is None:
        raise Http404
    return JsonResponse(found, content_type="application/jwk-set+json")
