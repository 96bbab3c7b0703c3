"""How allauth behaves here: nobody signs up, and TOTP secrets are sealed like every other secret."""

import uuid

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter

from portal import vault

# allauth hands its adapter the text only, so these values share one row name; they are in the portal's own key.
_MFA = vault.Binding(table="mfa.authenticator", row=uuid.UUID(int=0), field="secret", project=None)


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request) -> bool:
        return False


class MfaAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return vault.seal(text, _MFA)

    def decrypt(self, encrypted_text: str) -> str:
        return vault.open_sealed(encrypted_text, _MFA).reveal()
