"""The agent's pages that belong to this storey."""

from django.urls import path

from connections import agent_views

_AGENT = "projects/<str:project>/agents/<str:agent>/"

urlpatterns = [
    path(f"{_AGENT}connections/give/", agent_views.give, name="agent-connection-give"),
    path(f"{_AGENT}connections/<str:connection>/take-back/", agent_views.take_back, name="agent-connection-take-back"),
]
