"""Answers "what may this person do here, and why": every permission with the role that gives it, or would."""

from dataclasses import dataclass

from portal.projects.access import Access
from portal.projects.models import Project
from portal.projects.roles import ON_THE_PORTAL, Permission, roles_with


@dataclass(frozen=True)
class Line:
    """`state` is one of the checklist's shapes: done, or none for what no role of this person gives."""

    state: str
    words: str
    why: str


READ_A_SECRET = Line("none", "Read a stored secret", "In no role")


def lines(access: Access) -> list[Line]:
    """In the order of the enum, the person's own first; last what nobody may do."""
    asked = [p for p in Permission if p not in ON_THE_PORTAL or access.project is None]
    found = [_line(access, permission) for permission in asked]
    return [*sorted(found, key=lambda line: line.state != "done"), READ_A_SECRET]


def _line(access: Access, permission: Permission) -> Line:
    given = dict.fromkeys(_role_and_scope(a, access.project) for a in access.why(permission))
    if given:
        return Line("done", permission.label, ", ".join(given))
    return Line("none", permission.label, f"Needs {_either([role.label for role in roles_with(permission)])}")


def _role_and_scope(assignment, project: Project | None) -> str:
    inherited = project is not None and assignment.project_id is None
    return f"{assignment.get_role_display()} on the portal" if inherited else assignment.get_role_display()


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
