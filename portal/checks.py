"""System checks: each dangerous gap in the settings, with what to do about it."""

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register

from portal import vault
from portal.outbound import policy

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@register(Tags.security)
def check_key_ring(app_configs, **kwargs):
    try:
        vault.ring()
    except vault.KeyUnavailable as error:
        return [
            Error(
                str(error),
                hint="Make one: python manage.py new_key. Keep a copy apart from the database.",
                id="gatehouse.E001",
            )
        ]
    return []


@register(Tags.security)
def check_secret_key(app_configs, **kwargs):
    if len(settings.SECRET_KEY) < 50:
        return [
            Error(
                "SECRET_KEY is shorter than 50 characters.",
                hint="Use a long random one; it signs sessions.",
                id="gatehouse.E002",
            )
        ]
    return []


@register(Tags.security)
def check_public_url(app_configs, **kwargs):
    if not settings.ALLOWED_HOSTS:
        return [
            Error(
                "PUBLIC_URL names no host.",
                hint="PUBLIC_URL=https://gatehouse.example.com",
                id="gatehouse.E003",
            )
        ]
    if not settings.HTTPS and settings.ALLOWED_HOSTS[0] not in LOOPBACK:
        return [
            Warning(
                "PUBLIC_URL is not https.",
                hint="Put a TLS proxy in front, and set PUBLIC_URL to its https address.",
                id="gatehouse.W001",
            )
        ]
    return []


@register(Tags.security)
def check_demo(app_configs, **kwargs):
    if settings.DEMO and settings.ALLOWED_HOSTS[0] not in LOOPBACK:
        return [
            Error(
                "GATEHOUSE_DEMO is set, but PUBLIC_URL is not loopback.",
                hint="The demo's passwords are known. Unset GATEHOUSE_DEMO.",
                id="gatehouse.E004",
            )
        ]
    return []


@register(Tags.security)
def check_outbound_networks(app_configs, **kwargs):
    try:
        policy.parse_networks(settings.ALLOWED_OUTBOUND_NETWORKS)
    except ValueError as error:
        return [
            Error(
                f"ALLOWED_OUTBOUND_NETWORKS: {error}",
                hint="For example 10.20.0.0/16:443,8443",
                id="gatehouse.E005",
            )
        ]
    return []
