from django.urls import path

from portal.identities import audience_views, host_views, public_views, source_views, views

_IDENTITIES = "projects/<str:project>/identities/"
_IDENTITY = f"{_IDENTITIES}<uuid:identity>/"
_PORTAL = "portal/identities/"

urlpatterns = [
    # Below the issuer's own address, where OpenID Connect Discovery looks.
    path("identities/.well-known/openid-configuration", public_views.metadata, name="issuer-metadata"),
    path("identities/jwks.json", public_views.jwks, name="issuer-jwks"),
    path(_IDENTITIES, views.identities, name="identities"),
    path(f"{_IDENTITIES}source/", source_views.choose_source, name="identity-source"),
    path(f"{_IDENTITIES}blueprint/", source_views.blueprint, name="identity-blueprint"),
    path(_IDENTITY, views.identity, name="identity"),
    path(f"{_IDENTITY}set-up/", views.set_up, name="identity-set-up"),
    path(f"{_IDENTITY}check/", views.check, name="identity-check"),
    path(f"{_IDENTITY}disable/", views.disable, name="identity-disable"),
    path(f"{_IDENTITY}enable/", views.enable, name="identity-enable"),
    path(_PORTAL, audience_views.list_audiences, name="portal-identities"),
    path(f"{_PORTAL}audiences/new/", audience_views.new_audience, name="portal-identities-audience-new"),
    path(f"{_PORTAL}audiences/<uuid:audience>/", audience_views.edit_audience, name="portal-identities-audience"),
    path(
        f"{_PORTAL}audiences/<uuid:audience>/remove/",
        audience_views.remove_audience,
        name="portal-identities-audience-remove",
    ),
    path(f"{_PORTAL}managed/", host_views.list_managed, name="portal-identities-managed"),
    path(f"{_PORTAL}managed/<str:project>/", host_views.allot, name="portal-identities-allot"),
    path(f"{_PORTAL}managed/<str:project>/take-back/", host_views.take_back, name="portal-identities-take-back"),
    path(f"{_PORTAL}keys/", host_views.list_keys, name="portal-identities-keys"),
    path(f"{_PORTAL}keys/rotate/", host_views.rotate, name="portal-identities-keys-rotate"),
]
