"""Every page's address. A view must declare who may open it; see `portal.projects.access`."""

from django.urls import include, path

from portal import health, metrics_page

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics_page.show, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("", include("portal.projects.urls")),
    path("", include("portal.identities.urls")),
    path("", include("portal.agents.urls")),
    path("", include("portal.access_log.urls")),
    path("", include("portal.search.urls")),
    path("", include("connections.agent_urls")),
    path("", include("connections.urls")),
    path("", include("consent.urls")),
]

handler403 = "portal.errors.forbidden"
