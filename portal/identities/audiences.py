"""The allow-list of audiences: a token for one may be sent only to the origins that the portal's owner has listed.

Without it, whoever may connect a tool could point the organisation's identity at a host of their own (design, 4).
"""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction

from portal.audit import changes, log
from portal.identities import events
from portal.identities.models import Audience
from portal.outbound import policy
from portal.outbound.errors import OutboundError
from portal.users import User


class NotListed(Exception):
    """The audience may not be used at `origin`; empty where it is not listed at all."""

    def __init__(self, audience: str, origin: str) -> None:
        super().__init__("audience not listed")
        self.audience, self.origin = audience, origin


class AlreadyListed(Exception):
    """There is an entry of this name."""


def origin_of(url: str) -> str:
    """Scheme, host and port as `Audience.origins` spells them. Raises OutboundError."""
    return policy.check_url(url).origin


def check(audience: str, addresses: Iterable[str]) -> None:
    """Raises NotListed unless every address is at an origin that the audience is listed for."""
    listed = Audience.objects.filter(name=audience).first()
    if listed is None:
        raise NotListed(audience, "")
    for address in addresses:
        if (origin := origin_of(address)) not in listed.origins:
            raise NotListed(audience, origin)


def usable_at(url: str) -> list[Audience]:
    """What may be chosen for an endpoint, by name; nothing for an address that can't be read."""
    try:
        origin = origin_of(url)
    except OutboundError:
        return []
    return list(Audience.objects.filter(origins__contains=[origin]).order_by("name"))


def enter(name: str, origins: Sequence[str], description: str, by: User) -> Audience:
    """Raises AlreadyListed."""
    audience = Audience(name=name, origins=sorted(set(origins)), description=description, listed_by=by)
    try:
        with changes.announced():
            with transaction.atomic():
                audience.save(force_insert=True)
            _log(events.AUDIENCE_LISTED, audience, by)
    except IntegrityError:
        raise AlreadyListed(name) from None
    return audience


def change(audience: Audience, origins: Sequence[str], description: str, by: User) -> None:
    """An origin that is taken away gets no token from the next call on."""
    with changes.announced():
        audience.origins, audience.description = sorted(set(origins)), description
        audience.save(update_fields=["origins", "description"])
        _log(events.AUDIENCE_CHANGED, audience, by)


def remove(audience: Audience, by: User) -> None:
    with changes.announced():
        _log(events.AUDIENCE_REMOVED, audience, by)
        audience.delete()


def _log(event: events.Event, audience: Audience, by: User) -> None:
    details = {"audience": audience.name, "origins": " ".join(audience.origins)}
    log.record(event, log.Actor.of(by), details=details)
