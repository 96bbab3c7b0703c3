"""Settings and environment: what the processes were told."""

import os
from collections.abc import Iterator

from django.conf import settings
from django.core import checks

from portal.checks import LOOPBACK
from portal.doctor.findings import Finding, broken, look, ok
from portal.log_lines import FORMATS

SHORTEST_TOKEN = 20


def examine() -> Iterator[Finding]:
    yield from _system_checks()
    yield _public_url()
    yield _proxy()
    yield _demo()
    yield _log_format()
    yield _metrics_token()


def _system_checks() -> Iterator[Finding]:
    """Those of `manage.py check --deploy`, which know SECRET_KEY, the key ring and the network list."""
    found = checks.run_checks(include_deployment_checks=not _is_local())
    for message in found:
        judge = broken if message.level >= checks.ERROR else look
        yield judge("settings", f"{message.msg} ({message.id})", message.hint or "See docs/operations.md, Environment.")
    if not found:
        yield ok("settings", "Django's and Gatehouse's own checks have nothing to say.")


def _is_local() -> bool:
    return bool(settings.ALLOWED_HOSTS) and settings.ALLOWED_HOSTS[0] in LOOPBACK


def _public_url() -> Finding:
    if not settings.ALLOWED_HOSTS:
        return broken("public URL", "PUBLIC_URL names no host.", "Set it to the address that people and agents use.")
    if settings.HTTPS:
        return ok("public URL", "It is https, so cookies are marked for https only.")
    if _is_local():
        return ok("public URL", "It is this machine's own address: good for a look, for nobody else.")
    return broken(
        "public URL",
        "It is not https: sign-ins and agent keys would pass in the clear.",
        "Put a TLS proxy in front and set PUBLIC_URL to its https address.",
    )


def _proxy() -> Finding:
    trusts, counted = settings.SECURE_PROXY_SSL_HEADER is not None, settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if os.environ.get("FORWARDED_ALLOW_IPS"):
        return look(
            "proxy",
            "FORWARDED_ALLOW_IPS is set: the server would take addresses from headers that anybody can send.",
            "Leave it empty; TRUST_X_FORWARDED_PROTO and TRUSTED_PROXY_COUNT do what is needed.",
        )
    if settings.HTTPS and not trusts:
        return look(
            "proxy",
            "PUBLIC_URL is https and X-Forwarded-Proto is not trusted: behind a TLS proxy the redirect never ends.",
            "Set TRUST_X_FORWARDED_PROTO=1 where the proxy overwrites that header.",
        )
    if trusts and not counted:
        return look(
            "proxy",
            "A proxy is trusted for the scheme, but TRUSTED_PROXY_COUNT is 0: sign-in limits count only the proxy.",
            "Set TRUSTED_PROXY_COUNT to how many proxies append to X-Forwarded-For.",
        )
    if counted and not settings.HTTPS:
        return look(
            "proxy",
            "TRUSTED_PROXY_COUNT is set although PUBLIC_URL is http: a client could choose its own address.",
            "Set it only behind a proxy that overwrites X-Forwarded-For.",
        )
    return ok("proxy", "The headers of a proxy are trusted." if trusts else "No header of a proxy is trusted.")


def _demo() -> Finding:
    if not settings.DEMO:
        return ok("demo", "This is not marked as a demo.")
    if not _is_local():
        return broken("demo", "GATEHOUSE_DEMO is set and others can reach it.", "Unset GATEHOUSE_DEMO.")
    return look("demo", "This is the demo, whose passwords are known.", "Use it to look around, and nothing else.")


def _log_format() -> Finding:
    if settings.LOG_FORMAT not in FORMATS:
        return look("log format", "LOG_FORMAT is neither line nor json, so lines are written.", "Set one of the two.")
    return ok("log format", f"The processes write {settings.LOG_FORMAT}.")


def _metrics_token() -> Finding:
    if not settings.METRICS_TOKEN:
        return ok("metrics", "Without METRICS_TOKEN, /metrics answers only programs on the same machine.")
    if len(settings.METRICS_TOKEN) < SHORTEST_TOKEN:
        return look("metrics", "METRICS_TOKEN is short enough to be guessed.", "Use 32 random characters or more.")
    return ok("metrics", "/metrics answers whoever brings METRICS_TOKEN.")
