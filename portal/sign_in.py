"""Writes into the log who signed in, who failed to, and who changed a password. These rows belong to no project."""

from allauth.account import signals as account_signals
from django.contrib.auth import signals as auth_signals
from django.dispatch import receiver

from portal import sessions
from portal.audit import events, log

NOBODY = log.Actor("nobody", None, "")
EMAIL_LENGTH = 254


@receiver(auth_signals.user_logged_in)
def begin_session(request, **kwargs) -> None:
    sessions.begin(request)


@receiver(account_signals.user_logged_in)
def log_sign_in(user, **kwargs) -> None:
    log.record(events.SIGNED_IN, log.Actor.of(user))


@receiver(auth_signals.user_login_failed)
def log_failed_sign_in(credentials, **kwargs) -> None:
    typed = str(credentials.get("email") or credentials.get("username") or "")[:EMAIL_LENGTH]
    log.record(events.SIGN_IN_FAILED, NOBODY, outcome=events.Outcome.FAILED, details={"email": typed})


@receiver([account_signals.password_changed, account_signals.password_set, account_signals.password_reset])
def log_password_change(user, **kwargs) -> None:
    log.record(events.PASSWORD_CHANGED, log.Actor.of(user))
