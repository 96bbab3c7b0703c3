from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"

    def ready(self) -> None:
        """Tells the storey below what it shows of this one: a panel, words, what can be searched, what is sealed."""
        from connections import events, explaining, finding, secrets  # noqa: F401, PLC0415 -- needs the app registry
        from connections.agent_panel import GivenConnections  # noqa: PLC0415
        from portal import sealed  # noqa: PLC0415
        from portal.agents import panels  # noqa: PLC0415
        from portal.audit import reasons  # noqa: PLC0415
        from portal.search import found  # noqa: PLC0415

        panels.register(GivenConnections())
        reasons.register(explaining.explain)
        found.register(finding.connections)
        sealed.register(*secrets.columns())
