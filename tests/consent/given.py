"""Consents that people really gave, through a provider and without a browser."""

from datetime import timedelta
from urllib.parse import urlsplit

import httpx
from django.http import QueryDict
from django.utils import timezone

from connections.methods.base import Caller
from connections.models import Connection
from consent import cancelling, coming_back, flow
from consent.models import Cancellation, Grant
from portal.agents.models import Agent
from portal.audit import changes
from portal.users import User
from tests.fakes.signing_in import sign_in
from tests.fakes.stock_client import TLS


def give(connection: Connection, agent: Agent, user: User, account: str = "octo-ben") -> Grant:
    """The grant of somebody who opened their link, signed in at the provider and agreed."""
    departure = flow.begin(flow.ask(connection, Caller(agent, user)))
    with httpx.Client(verify=TLS) as http:
        back = sign_in(http, departure.address, account)
    answer = QueryDict(urlsplit(back).query)
    at = connection.settings.get("publisher") or connection.id
    return coming_back.complete(at, user, departure.browser, answer)


def expire(*grants: Grant, seconds: float = 1) -> None:
    """The access tokens ended `seconds` ago, here; at the provider they live.

    Announced, as gateways keep a token at hand until the end that they have read.
    """
    ago = timezone.now() - timedelta(seconds=seconds)
    with changes.announced():
        Grant.objects.filter(pk__in=[grant.pk for grant in grants]).update(expires_at=ago)


def past_the_pause(grant: Grant) -> None:
    """As if the time had passed for which the provider was to be left alone."""
    Grant.objects.filter(pk=grant.pk).update(retry_at=timezone.now() - timedelta(seconds=1))


def again(grant: Grant) -> Grant:
    """As another process would read it."""
    return Grant.objects.select_related("connection__project", "agent", "user").get(pk=grant.pk)


def providers_are_told() -> None:
    """As a worker does it."""
    for row in Cancellation.objects.filter(state=Cancellation.State.WAITING):
        cancelling.tell(row)
