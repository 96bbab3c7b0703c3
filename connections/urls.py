"""The connections' pages, all inside a project. A connection's name begins with a letter or digit, so `-` is free."""

from django.urls import path

from connections.pages import agents, card, connect, edit, overview, playing, probes, switching, testing, tools, values

_TOOLS = "projects/<str:project>/tools/"
_ONE = f"{_TOOLS}<str:connection>/"

urlpatterns = [
    path(_TOOLS, tools.tools, name="tools"),
    path(f"{_TOOLS}-/test/", tools.test_all, name="tools-test"),
    path(f"{_TOOLS}connect/", connect.connect, name="connection-new"),
    path(f"{_TOOLS}connect/a2a/", connect.connect_a2a, name="connection-new-a2a"),
    path(_ONE, overview.connection, name="connection"),
    path(f"{_ONE}agents/", agents.agents, name="connection-agents"),
    path(f"{_ONE}agents/-/take-back/", agents.take_from_all, name="connection-take-from-all"),
    path(f"{_ONE}agents/<str:agent>/take-back/", agents.take_back, name="connection-take-back"),
    path(f"{_ONE}calls/", overview.connection_calls, name="connection-calls"),
    path(f"{_ONE}probes/", probes.connection_probes, name="connection-probes"),
    path(f"{_ONE}settings/", overview.settings, name="connection-settings"),
    path(f"{_ONE}edit/", edit.edit, name="connection-edit"),
    path(f"{_ONE}replace/", values.replace, name="connection-replace"),
    path(f"{_ONE}replace/-/end-former/", values.end_former, name="connection-end-former"),
    path(f"{_ONE}test/", testing.test, name="connection-test"),
    path(f"{_ONE}use/", agents.use, name="connection-use"),
    path(f"{_ONE}playground/", playing.playground, name="connection-playground"),
    path(f"{_ONE}playground/give/", playing.give, name="connection-playground-give"),
    path(f"{_ONE}disable/", switching.disable, name="connection-disable"),
    path(f"{_ONE}enable/", switching.enable, name="connection-enable"),
    path(f"{_ONE}delete/", switching.delete, name="connection-delete"),
    path(f"{_ONE}card/", card.card, name="connection-card"),
]
