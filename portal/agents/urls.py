from django.urls import path

from portal.agents import key_views, publishing_views, speaking_views, views

_AGENTS = "projects/<str:project>/agents/"
_AGENT = f"{_AGENTS}<str:agent>/"

urlpatterns = [
    path(_AGENTS, views.agents, name="agents"),
    # The form refuses an agent of this name, which would have no address.
    path(f"{_AGENTS}new/", views.register, name="agent-new"),
    path(_AGENT, views.agent, name="agent"),
    path(f"{_AGENT}settings/", views.settings, name="agent-settings"),
    path(f"{_AGENT}disable/", views.disable, name="agent-disable"),
    path(f"{_AGENT}enable/", views.enable, name="agent-enable"),
    path(f"{_AGENT}delete/", views.delete, name="agent-delete"),
    path(f"{_AGENT}publish/", publishing_views.publish, name="agent-publish"),
    path(f"{_AGENT}publish/identity/", publishing_views.make_identity, name="agent-make-identity"),
    path(f"{_AGENT}take-back-publishing/", publishing_views.take_back, name="agent-unpublish"),
    path(f"{_AGENT}keys/", key_views.agent_keys, name="agent-keys"),
    path(f"{_AGENT}keys/new/", key_views.make_key, name="agent-key-new"),
    path(f"{_AGENT}keys/<uuid:key>/revoke/", key_views.revoke_key, name="agent-key-revoke"),
    path(f"{_AGENT}speaking/", speaking_views.let_speak, name="agent-speaking"),
    path(f"{_AGENT}speaking/withdraw/", speaking_views.withdraw, name="agent-speaking-withdraw"),
]
