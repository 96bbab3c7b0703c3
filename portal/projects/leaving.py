"""What upper storeys end when a person is deactivated, so that this storey need not know them.

A storey above subclasses `Leaving` and registers it in its AppConfig.ready.
"""

from collections.abc import Sequence

from portal.users import User


class Leaving:
    def what_ends(self, person: User) -> Sequence[str]:
        """Sentences for whoever is about to deactivate the person."""
        return ()

    def acts(self, person: User) -> Sequence[tuple[str, str]]:
        """Label and address pairs: what an owner can do about somebody who is deactivated."""
        return ()

    def ends(self, person: User, by: User) -> None:
        """Called in the transaction that deactivates the person."""


_registered: list[Leaving] = []


def register(one: Leaving) -> None:
    _registered.append(one)


def registered() -> Sequence[Leaving]:
    return tuple(_registered)
