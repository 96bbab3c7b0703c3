from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "consent"

    def ready(self) -> None:
        from django.db.models.signals import pre_delete  # noqa: PLC0415

        from connections import troubleshooting  # noqa: PLC0415 -- needs the app registry
        from connections.models import Connection  # noqa: PLC0415
        from consent import events  # noqa: F401, PLC0415 -- declares the log's tags
        from consent.client_keys import before_their_connection_goes  # noqa: PLC0415
        from consent.endings import EndsConsents, before_its_row_goes  # noqa: PLC0415
        from consent.measures import of_cancellations, of_grants  # noqa: PLC0415
        from consent.models import SEALED, Grant  # noqa: PLC0415
        from consent.troubleshooting import ENTRIES  # noqa: PLC0415
        from consent.waiting import to_renew  # noqa: PLC0415
        from portal import measures, sealed  # noqa: PLC0415
        from portal.projects import leaving, waiting  # noqa: PLC0415

        troubleshooting.add(ENTRIES)
        sealed.register(*SEALED)
        measures.register(of_grants)
        waiting.register(to_renew)
        measures.register_due("cancellations", of_cancellations, "try_at")
        leaving.register(EndsConsents())
        pre_delete.connect(before_its_row_goes, sender=Grant)
        pre_delete.connect(before_their_connection_goes, sender=Connection)
