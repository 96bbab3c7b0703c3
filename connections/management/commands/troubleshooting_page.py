from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from connections import identity_troubleshooting
from connections.gateway.calls import OUTBOUND
from connections.gateway.refusals import KINDS, NoCredential, Refused, RefusedByEndpoint
from connections.methods import methods
from connections.troubleshooting import CATALOGUE, Entry, Who
from portal.outbound import errors

# What only "Test connection" can tell; calls pass on what the endpoint itself says.
FOUND_BY_TESTS = {"endpoint_other_dialect"}
# The endpoint's own error passes to the agent as it is; only people get this one.
IN_ITS_OWN_WORDS = {"endpoint_error"}
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
    refusal = _refusal(entry.code)
    return f"{refusal.kind.code}, HTTP {refusal.kind.status}" if refusal else ""


def _refusal(code: str) -> Refused | None:
    """How the gateway answers with it; None for the codes that stand on pages only."""
    if code in {method.refused(status) for method in methods() for status in (401, 403)}:
        return RefusedByEndpoint(code)
    identities = {entry.code for entry in identity_troubleshooting.ENTRIES}
    if code in identities.union(*(method.may_lack for method in methods())):
        return NoCredential(code)
    return Refused(code) if _reaches_agents(code) else None


def _reaches_agents(code: str) -> bool:
    outbound = {OUTBOUND.get(error.code, error.code) for error in _all(errors.OutboundError)}
    endpoint = code.startswith("endpoint_") and code not in FOUND_BY_TESTS | IN_ITS_OWN_WORDS
    return code in KINDS or code in outbound or endpoint


def _all(kind: type) -> Iterable[type]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all(below)
