from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Gatehouse"

    def ready(self) -> None:
        from portal import checks, sign_in  # noqa: F401, PLC0415 -- register themselves once the apps are there

        self._tell_what_is_sealed()

    def _tell_what_is_sealed(self) -> None:
        from allauth.mfa.models import Authenticator  # noqa: PLC0415 -- needs the app registry

        from portal import accounts, sealed  # noqa: PLC0415
        from portal.audit.models import LogKey  # noqa: PLC0415
        from portal.identities import sealing  # noqa: PLC0415
        from portal.installation import Installation  # noqa: PLC0415
        from portal.vault import DataKey  # noqa: PLC0415

        sealed.register(sealed.Wrapped(DataKey), sealed.Wrapped(LogKey), sealed.Wrapped(Installation, "wrapped_id"))
        sealed.register(*sealing.columns())
        sealed.register(sealed.Sealed("mfa.authenticator", Authenticator, "data", lambda row: accounts.MFA))
