"""How allauth behaves here: nobody signs up, links come from PUBLIC_URL, and TOTP secrets are sealed.

There is no page to change one's e-mail address (`account_email` does not answer): agents name users by it, so whoever
could change it could become somebody else.
"""

import logging
import uuid
from smtplib import SMTPException
from urllib.parse import quote

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.urls import reverse

from portal import vault
from portal.users import User

logger = logging.getLogger(__name__)

# allauth hands its adapter the text only, so these values share one row name; they are in the portal's own key.
MFA = vault.Binding(table="mfa.authenticator", row=uuid.UUID(int=0), field="secret", project=None)


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "This email address and this password don't belong together. Try again.",
        "too_many_login_attempts": "Too many attempts failed. Wait five minutes, then try again.",
    }

    def is_open_for_signup(self, request) -> bool:
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict) -> None:
        """Never fails the page: an error for known addresses alone would tell who has an account."""
        if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and not settings.EMAIL_HOST:
            return
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            logger.error("A mail could not be sent: %s", type(error).__name__)

    def get_reset_password_from_key_url(self, key: str) -> str:
        # Not from the Host header: its port is not checked against ALLOWED_HOSTS (T37).
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return settings.PUBLIC_URL + path.replace("UID-KEY", quote(key))


class MfaAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return vault.seal(text, MFA)

    def decrypt(self, encrypted_text: str) -> str:
        return vault.open_sealed(encrypted_text, MFA).reveal()


def set_password_link(user: User) -> str:
    """The link of a password reset mail: works once, until the password changes or PASSWORD_RESET_TIMEOUT passes."""
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    return AccountAdapter().get_reset_password_from_key_url(key)
