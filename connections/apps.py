from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"

    def ready(self) -> None:
        """Tells the storey below what it shows of this one: a panel, what can be searched, words for codes and tags."""
        from connections import events, explaining, finding  # noqa: F401, PLC0415 -- needs the app registry
        from connections.agent_panel import GivenConnections  # noqa: PLC0415
        from portal.agents import panels  # noqa: PLC0415
        from portal.audit import reasons  # noqa: PLC0415
        from portal.search import found  # noqa: PLC0415

        panels.register(GivenConnections())
        reasons.register(explaining.explain)
        found.register(finding.connections)
