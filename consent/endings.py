"""What ends with a person, an agent or a connection: everything that was given is over here at once, and the provider
is told (see `consent.revocation`)."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from consent import grants, revocation, tokens
from consent.models import ConsentRequest, Grant
from portal.audit import changes
from portal.projects.leaving import Leaving
from portal.users import User

SHOWN = 3


def sentences(rows: QuerySet[Grant]) -> list[str]:
    """For whoever is about to end these grants; none where there are none."""
    return about(list(rows.filter(state=Grant.State.ACTIVE).select_related("connection")))


def about(standing: list[Grant]) -> list[str]:
    """The same of those that were found already."""
    if not standing:
        return []
    people = len({grant.user_id for grant in standing})
    whose = "1 person's consent is" if people == 1 else f"The consents of {people} people are"
    return [f"{whose} ended at once.", *at_providers(standing)]


def at_providers(standing: list[Grant]) -> list[str]:
    """Whether their providers are told, in words."""
    ids = [grant.pk for grant in standing]
    told = sorted({grant.asked.sign_in_host for grant in standing if revocation.is_told(grant, besides=ids)})
    not_told = sorted({grant.asked.sign_in_host for grant in standing if not grant.asked.can_be_told})
    said = [stays_signed_in(host) for host in _sparing(standing, ids)]
    if told:
        said.append(f"{_named(told)} {'is' if len(told) == 1 else 'are'} told to cancel the access.")
    if not_told:
        said.append(f"{_named(not_told)} can't be told from here; people can take the access back there.")
    return said


def stays_signed_in(host: str) -> str:
    """Where telling the provider would end more than what is meant."""
    return (
        f"{host} is not told, because it would cancel everything at once: the account stays signed in for other agents."
    )


def _sparing(standing: list[Grant], ids: list) -> list[str]:
    return sorted({grant.asked.sign_in_host for grant in standing if revocation.spares_others(grant, besides=ids)})


def _named(hosts: list[str]) -> str:
    if len(hosts) > SHOWN:
        return f"{', '.join(hosts[:SHOWN])} and {len(hosts) - SHOWN} more"
    return " and ".join([", ".join(hosts[:-1]), hosts[-1]] if len(hosts) > 1 else hosts)


class EndsConsents(Leaving):
    """A person who is deactivated leaves nothing that an agent could use."""

    def what_ends(self, person: User) -> Sequence[str]:
        count = Grant.objects.filter(user=person, state=Grant.State.ACTIVE).count()
        if not count:
            return []
        what = f"What they allowed agents ({count} consent{'' if count == 1 else 's'}) is ended at once."
        standing = Grant.objects.filter(user=person, state=Grant.State.ACTIVE).select_related("connection")
        return [what, *at_providers(list(standing)), "Reactivating them does not bring it back."]

    def acts(self, person: User) -> Sequence[tuple[str, str]]:
        if person.is_active or not Grant.objects.filter(user=person).exists():
            return ()
        return [("Erase consents", reverse("person-consents-erase", args=[person.id]))]

    def ends(self, person: User, by: User) -> None:
        grants.revoke_all(Grant.objects.filter(user=person), by, "user_left")
        waiting = ConsentRequest.objects.filter(user=person, state=ConsentRequest.State.WAITING)
        waiting.update(state=ConsentRequest.State.ENDED, decided_at=timezone.now())


def before_its_row_goes(sender: type[Grant], instance: Grant, **_kwargs) -> None:
    """Whatever deletes a grant, by a cascade or by hand: what it held is queued first, in the same transaction.

    Announced, because processes keep tokens at hand for as long as nothing changes.
    """
    with changes.announced():
        revocation.queue(instance, *tokens.both(instance))
        # Of several that a cascade deletes together, the last one has to see that it is the last.
        Grant.objects.filter(pk=instance.pk).update(state=Grant.State.REVOKED)
