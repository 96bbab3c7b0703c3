"""What ends when an app is taken away, serves fewer origins, or becomes another one: consents and open links.

They end here in the transaction of the change; the publisher is told by a worker, with the secret of before.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from connections.models import Connection
from consent import endings, fitting
from consent.managed import allowing
from consent.models import ConsentRequest, Grant, PublisherApp
from portal.users import User

# Why a grant ended: the app is another one now, or it may not be used like this any more.
CHANGED, WITHDRAWN = "managed_app_changed", "managed_app_withdrawn"
MOST_NAMES = 10


@dataclass(frozen=True)
class Ends:
    """For the question before: connections that nobody can use any more, what was given, links that wait."""

    connections: list[Connection]
    grants: list[Grant]
    links: int

    def __bool__(self) -> bool:
        return bool(self.connections or self.grants or self.links)

    @property
    def sentences(self) -> list[str]:
        return [_unusable(self.connections), *endings.about(self.grants), *_links(self.links)]


def of(app: PublisherApp, to_be: PublisherApp | None) -> Ends:
    """What ends once the app is as `to_be` says; None where it is removed."""
    served = [one for one in connections_of(app.publisher) if allowing.serves(app, one.addresses())]
    return Ends(
        [one for one in served if to_be is None or not allowing.serves(to_be, one.addresses())],
        [grant for grant in _grants(app.publisher) if allowing.judged(grant.asked, to_be)],
        len(_links_that_end(app.publisher, to_be)),
    )


def end(app: PublisherApp, to_be: PublisherApp | None, by: User) -> None:
    """For the transaction that is about to save `to_be`: the secret that cancels is still the one of before."""
    for grant in _grants(app.publisher, locked=True):
        if why := allowing.judged(grant.asked, to_be):
            fitting.end(grant, why if why == CHANGED else WITHDRAWN, by)
    over = _links_that_end(app.publisher, to_be)
    ConsentRequest.objects.filter(pk__in=over).update(state=ConsentRequest.State.ENDED)


def connections_of(publisher: str) -> list[Connection]:
    """Those that use the publisher's app, by project and name."""
    rows = Connection.objects.filter(settings__publisher=publisher).select_related("project")
    return list(rows.order_by("project__name", "name"))


def _grants(publisher: str, *, locked: bool = False) -> list[Grant]:
    rows = Grant.objects.filter(terms__publisher=publisher, state=Grant.State.ACTIVE)
    rows = rows.select_related("connection__project", "agent", "user").order_by("id")
    return list(rows.select_for_update(of=("self",)) if locked else rows)


def _links_that_end(publisher: str, to_be: PublisherApp | None) -> list:
    waiting = ConsentRequest.objects.filter(terms__publisher=publisher, state=ConsentRequest.State.WAITING)
    return [asking.pk for asking in waiting if allowing.judged(asking.asked, to_be)]


def _unusable(connections: list[Connection]) -> str:
    if not connections:
        return "No connection stops working."
    names = [f"{one.name} of {one.project.name}" for one in connections]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    count = f"{len(names)} connection{'' if len(names) == 1 else 's'}"
    return f"{count} can't be used any more: {', '.join(names[:MOST_NAMES])}{more}."


def _links(count: int) -> Iterable[str]:
    return [f"{count} open consent link{'' if count == 1 else 's'} end{'s' if count == 1 else ''}."] if count else []
