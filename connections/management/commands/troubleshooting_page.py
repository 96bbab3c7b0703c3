from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from connections.gateway.telling import refusal_of
from connections.troubleshooting import CATALOGUE, Entry, Who

PAGE = settings.BASE_DIR / "docs" / "troubleshooting.md"
HEAD = """\
# Troubleshooting

<!-- Written by `python manage.py troubleshooting_page` from the catalogues of connections and consent.
Change it there. -->

Everything that can go wrong with a connection: what happened, why, what to do. It is sorted by who must act.
The same texts stand on the pages, in the access log and in what an agent is told, under the same code.

An agent is told the sentence and, in `data` (JSON-RPC) or `details` (HTTP+JSON), an `ErrorInfo` of the domain
`gatehouse`. Its `reason` is the code in capitals; its `metadata` has `cause`, `resolution`, `who_must_act` and
`request_id`. The last column gives the JSON-RPC error code, and the HTTP status that HTTP+JSON answers with. Over
JSON-RPC the status is 200, except for 401 and 413. Where the column is empty, the text stands on a page only.
"""


class Command(BaseCommand):
    help = "Writes docs/troubleshooting.md from the catalogue that the pages, the log and the gateway use."
    requires_system_checks = ()

    def handle(self, **options) -> None:
        Path(PAGE).write_text(page())
        self.stdout.write(f"{PAGE.name} has {len(CATALOGUE)} entries.")


def page() -> str:
    """The whole page, in Markdown."""
    sections = ((who, [each for each in CATALOGUE.values() if each.who == who]) for who in Who)
    return "\n".join([HEAD, *(_section(who, entries) for who, entries in sections if entries)])


def _section(who: Who, entries: Iterable[Entry]) -> str:
    rows = [f"| {each.title}<br>`{each.code}` | {each.cause} | {each.resolution} | {_told(each)} |" for each in entries]
    lines = [f"## {who.label}", "", "| What happened | Why | What to do | To an agent |", "|---|---|---|---|", *rows]
    return "\n".join([*lines, ""])


def _told(entry: Entry) -> str:
    refusal = refusal_of(entry.code)
    return f"{refusal.kind.code}, HTTP {refusal.kind.status}" if refusal else ""
