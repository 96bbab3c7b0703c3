from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from consent.publishers import PUBLISHERS, Publisher

PAGE = settings.BASE_DIR / "docs" / "publishers.md"
HEAD = """\
# Publishers

<!-- Written by `python manage.py publishers_page` from the catalogue in consent/publishers. Change it there. -->

The publishers whose apps the owner of this portal can register once for every project. What is asked at first can be
changed at each connection. Where no date stands, the record was not compared with the publisher's documents yet: try it
with an account of your own before you offer it.

| publisher | asked at first | how long access lives | how it is cancelled | compared with its documents |
|---|---|---|---|---|
"""


class Command(BaseCommand):
    help = "Writes docs/publishers.md from the catalogue of publishers."
    requires_system_checks = ()

    def handle(self, **options) -> None:
        Path(PAGE).write_text(page())
        self.stdout.write(f"{PAGE.name} has {len(PUBLISHERS)} publishers.")


def page() -> str:
    """The whole page, in Markdown."""
    return HEAD + "".join(map(_row, PUBLISHERS.values()))


def _row(publisher: Publisher) -> str:
    cells = (
        f"[{publisher.name}]({publisher.documents[0]})",
        _asked(publisher),
        publisher.lives,
        _cancelled(publisher),
        publisher.checked.isoformat() if publisher.checked else "not yet",
    )
    return f"| {' | '.join(cells)} |\n"


def _asked(publisher: Publisher) -> str:
    names = dict.fromkeys((*publisher.fixed_scopes, *publisher.default_scopes))
    return ", ".join(f"`{name}`" for name in names) or "what the app is set up for"


def _cancelled(publisher: Publisher) -> str:
    if not publisher.wire.revocation:
        return "by the person, at the publisher"
    if publisher.wire.revocation_ends_all:
        return "by the portal; ends everything that the account gave to the app"
    return "by the portal, this access alone"
