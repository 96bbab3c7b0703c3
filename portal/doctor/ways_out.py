"""The ways out: names, certificate authorities, mail."""

from collections.abc import Iterator
from concurrent.futures import TimeoutError as NoAnswer
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import get_connection

from portal.doctor.findings import Finding, broken, look, ok
from portal.outbound import names, tls

DNS_SECONDS = 5.0
MAIL_SECONDS = 5
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def examine(host: str) -> Iterator[Finding]:
    yield _names(host or next(iter(settings.ALLOWED_HOSTS), "localhost"))
    yield _authorities()
    yield _mail()


def _names(host: str) -> Finding:
    if names.is_literal(host):
        return ok("names", f"{host} is an address, so no name was looked up; --host looks one up.")
    try:
        found = names.lookups().submit(names.ask, host, 443).result(DNS_SECONDS)
    except NoAnswer:
        remedy = "Check the name servers in /etc/resolv.conf."
        return broken("names", f"The DNS has not answered within {DNS_SECONDS:g} seconds.", remedy)
    if not found:
        return look(
            "names",
            f"{host} is not found from here.",
            "If other names are not found either, check /etc/resolv.conf: manage.py doctor --host agent.example.com",
        )
    return ok("names", f"{host} is found.")


def _authorities() -> Finding:
    try:
        trusted = tls.context().cert_store_stats()["x509_ca"]
    except OSError:  # ssl.SSLError is one
        return broken(
            "certificate authorities",
            "The file that OUTBOUND_CA_FILE names can't be read, or is not PEM. No endpoint can be reached.",
            "Correct the path or the file, or unset the variable.",
        )
    further = " and those of OUTBOUND_CA_FILE" if settings.OUTBOUND_CA_FILE else ""
    return ok("certificate authorities", f"The public ones{further} are trusted, {trusted} in all.")


def _mail() -> Finding:
    if settings.EMAIL_BACKEND != SMTP:
        return ok("mail", "Another mail backend than SMTP is set; it was not tried.")
    if not settings.EMAIL_HOST:
        return ok("mail", "No relay is set: links stand on the page of whoever invites, and nothing is mailed.")
    try:
        relay = get_connection(timeout=MAIL_SECONDS)
        relay.open()
        relay.close()
    except (OSError, SMTPException):
        return broken("mail", "The relay that EMAIL_HOST names does not answer.", "Check its name and port 25.")
    return ok("mail", "The relay answers; nothing was sent.")
