"""Which identities have a role at the demo's agents for staff: what role assignments are in Microsoft Entra."""

import json
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from launcher.private import write_private

LATELY = 5
NAMELESS = "No name in its token"


@dataclass(frozen=True)
class Principal:
    """An identity as an endpoint knows it: the object id, and the name that its token gave it, "" for none."""

    id: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


@dataclass
class Role:
    """One agent's role: who has it, and who asked lately without having it (newest first; forgotten at a restart)."""

    name: str
    assignments: "Assignments"
    refused: deque[Principal] = field(default_factory=lambda: deque(maxlen=LATELY))

    def holders(self) -> list[Principal]:
        return [Principal(*pair) for pair in self.assignments.of(self.name).items()]

    def admits(self, principal: Principal) -> bool:
        """Whether it has the role; the page shows who asked, with the role or without."""
        held = self.assignments.of(self.name)
        if principal.id in held:
            # Assigned before it asked, by its id alone.
            if not held[principal.id]:
                self.assign(Principal(principal.id, principal.name or NAMELESS))
            return True
        self._forget(principal)
        self.refused.appendleft(principal)
        return False

    def assign(self, principal: Principal) -> None:
        self._forget(principal)
        self.assignments.keep(self.name, {**self.assignments.of(self.name), principal.id: principal.name})

    def take_away(self, principal: Principal) -> None:
        """From the next call on. From one that has not got it is no error."""
        held = self.assignments.of(self.name)
        self.assignments.keep(self.name, {key: name for key, name in held.items() if key != principal.id})

    def _forget(self, principal: Principal) -> None:
        for known in [known for known in self.refused if known.id == principal.id]:
            self.refused.remove(known)


class Assignments:
    """{role: {principal id: name}}, in memory and, with `kept_in`, in a file."""

    def __init__(self, kept_in: Path | None = None) -> None:
        self._file = kept_in
        self._by_role: dict[str, dict[str, str]] = {}
        if kept_in and kept_in.exists():
            self._by_role = json.loads(kept_in.read_text())

    def of(self, role: str) -> dict[str, str]:
        return self._by_role.get(role, {})

    def keep(self, role: str, holders: dict[str, str]) -> None:
        self._by_role[role] = holders
        if self._file:
            write_private(self._file, json.dumps(self._by_role))
