"""One line opened: the row, or the two rows of a call, and whether they still are what was written."""

from dataclasses import dataclass
from functools import cached_property

from portal import vault
from portal.access_log.shown import Line, facts_of, is_call, label_of, line_of, method_label, sentence_of
from portal.agents.models import AgentKey
from portal.audit import log, reasons
from portal.audit.models import LogKey, LogRow
from portal.audit.readable import readable
from portal.projects.models import Project

BINDINGS = {"JSONRPC": "JSON-RPC", "HTTP+JSON": "HTTP+JSON"}
INTACT, CHANGED, NOT_CHECKED = "intact", "changed", "not_checked"


@dataclass(frozen=True)
class Opened:
    """`rows` are in the order in which they were written: of a call the attempt and what ended it."""

    line: Line
    rows: tuple[LogRow, ...]

    @cached_property
    def attempt(self) -> LogRow:
        return self.rows[0]

    @cached_property
    def end(self) -> LogRow | None:
        """The outcome that counts, as in the list: a real one before one that the sweep assumed."""
        ended = [row for row in self.rows if row.kind == LogRow.Kind.OUTCOME]
        return min(ended, key=lambda row: (row.outcome == "unknown", row.id), default=None)

    @property
    def last(self) -> LogRow:
        return self.end or self.attempt

    @property
    def is_call(self) -> bool:
        return is_call(self.attempt)

    @property
    def has_two_rows(self) -> bool:
        """Of every call, and of a test, which opens a credential too."""
        return self.attempt.call_id is not None

    @property
    def outcome_label(self) -> str:
        return label_of(self.last.outcome)

    @property
    def sentence(self) -> str:
        return sentence_of(self.attempt)

    @cached_property
    def explanation(self) -> reasons.Explanation | None:
        return reasons.explain(self.last.reason) if self.last.reason else None

    @property
    def reason(self) -> str:
        return readable(self.last.reason)

    @property
    def key_prefix(self) -> str:
        """The readable start of the agent key, while its row is there."""
        if self.attempt.actor_kind != "agent_key":
            return ""
        return AgentKey.objects.filter(id=self.attempt.actor_id).values_list("prefix", flat=True).first() or ""

    @property
    def protocol(self) -> str:
        version = f"A2A {readable(self.attempt.protocol)}" if self.attempt.protocol else ""
        binding = readable(BINDINGS.get(self.attempt.binding, self.attempt.binding))
        return ", ".join(part for part in (version, binding) if part)

    @property
    def target(self) -> str:
        return readable(self.attempt.target or self.last.target)

    @property
    def auth_method(self) -> str:
        return method_label(self.attempt.auth_method)

    @property
    def request_id(self) -> str:
        return readable(self.attempt.request_id)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Details of both rows; what the outcome says again stands once."""
        return list(dict([*facts_of(self.attempt), *(facts_of(self.end) if self.end else ())]).items())

    @property
    def later_ms(self) -> int | None:
        """How long after the attempt its outcome was written, in milliseconds."""
        if self.end is None or self.end is self.attempt:
            return None
        return round((self.end.time - self.attempt.time).total_seconds() * 1000)

    @cached_property
    def checks(self) -> list[tuple[LogRow, str]]:
        return [(row, check(row)) for row in self.rows]

    @property
    def verdict(self) -> str:
        found = {state for _, state in self.checks}
        return next((state for state in (CHANGED, NOT_CHECKED) if state in found), INTACT)


def opened(row: LogRow, project: Project | None) -> Opened:
    rows = (row,)
    if row.call_id is not None:
        # Inside the scope again: a copied call id must not open another project's rows.
        same = LogRow.objects.filter(call_id=row.call_id, project_id=row.project_id)
        rows = tuple(same.order_by("id")[:10])
    return Opened(line_of(rows[0], project), rows)


def check(row: LogRow) -> str:
    """Whether the stored row is what was written, told by its HMAC (T34)."""
    try:
        return INTACT if log.verify(row) else CHANGED
    except (LogKey.DoesNotExist, vault.VaultError):
        return NOT_CHECKED
