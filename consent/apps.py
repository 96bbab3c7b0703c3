from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "consent"

    def ready(self) -> None:
        from connections import troubleshooting  # noqa: PLC0415 -- needs the app registry
        from consent import events  # noqa: F401, PLC0415 -- declares the log's tags
        from consent.measures import of_grants  # noqa: PLC0415
        from consent.models import SEALED  # noqa: PLC0415
        from consent.troubleshooting import ENTRIES  # noqa: PLC0415
        from consent.waiting import to_renew  # noqa: PLC0415
        from portal import measures, sealed  # noqa: PLC0415
        from portal.projects import waiting  # noqa: PLC0415

        troubleshooting.add(ENTRIES)
        sealed.register(*SEALED)
        measures.register(of_grants)
        waiting.register(to_renew)
