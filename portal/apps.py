from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Gatehouse"

    def ready(self) -> None:
        from portal import checks, sign_in  # noqa: F401, PLC0415 -- register themselves once the apps are there
