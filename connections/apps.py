from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"

    def ready(self) -> None:
        """Tells the storey below what this one adds: a panel, words, what is searched, sealed, measured and used."""
        from connections import (  # noqa: PLC0415 -- needs the app registry
            events,  # noqa: F401 -- declares the log's tags
            explaining,
            finding,
            identity_troubleshooting,
            identity_uses,
            secrets,
            troubleshooting,
        )
        from connections import measures as own_measures  # noqa: PLC0415
        from connections.agent_panel import GivenConnections  # noqa: PLC0415
        from portal import measures, sealed  # noqa: PLC0415
        from portal.access_log import shown  # noqa: PLC0415
        from portal.agents import panels  # noqa: PLC0415
        from portal.audit import reasons  # noqa: PLC0415
        from portal.identities import uses  # noqa: PLC0415
        from portal.search import found, requests  # noqa: PLC0415

        panels.register(GivenConnections())
        troubleshooting.add(identity_troubleshooting.ENTRIES)
        reasons.register(explaining.explain)
        shown.register_method_labels(explaining.method_label)
        found.register(finding.connections)
        found.register(finding.meanings)
        requests.register(finding.page_of)
        sealed.register(*secrets.columns())
        measures.register(own_measures.of_connections)
        uses.register(identity_uses.of_project, identity_uses.of_audience)
