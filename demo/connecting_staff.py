"""Connects the demo's agents for staff: with the project's identities, whose tokens the portal's own issuer signs.

The portal is not up yet when the demo is made, and with it its keys; so these two are tested later, by
`test_untested`.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from connections import keeping, probes
from connections.drafts import Draft
from connections.models import CARD_PATH, Connection
from demo import audiences as wanted
from demo.connecting import with_card
from portal.agents.models import Agent
from portal.identities import audiences, roster
from portal.identities.models import Identity
from portal.outbound import session as outbound
from portal.projects.models import Project
from portal.users import User


@dataclass(frozen=True)
class StaffAgent:
    """`identity` is who calls it, and so who gets the role there."""

    name: str
    path: str
    audience: str
    method: str
    identity: Callable[[Project], Identity]


STAFF_AGENTS = (
    StaffAgent("hr-agent", "/hr", wanted.HR, "microsoft-entra-agent-identity", roster.shared_by_agents),
    StaffAgent(
        "payroll-agent", "/payroll", wanted.PAYROLL, "microsoft-entra-project-managed-identity", roster.managed_of
    ),
)


def connect(project: Project, agent: Agent, by: User, origin: str) -> None:
    """Whatever of the two is missing: their audiences, connections and roles."""
    for staff in STAFF_AGENTS:
        with contextlib.suppress(audiences.AlreadyListed):
            audiences.enter(staff.audience, [audiences.origin_of(origin)], f"The demo's {staff.name}", by)
        if not project.connections.filter(name__iexact=staff.name).exists():
            keeping.connect(project, with_card(_draft(staff, origin)), by, for_agent=agent)
        _assign_role(f"{origin}{staff.path}/roles", staff.identity(project))


def test_untested(project_name: str, by: User) -> list[str]:
    """Tests those of the two that nobody has tested since they were connected or changed; says what did not pass."""
    names = [staff.name for staff in STAFF_AGENTS]
    rows = Connection.objects.filter(project__name=project_name, name__in=names, disabled_at=None, health=None)
    results = [(row.name, probes.test(row, by)) for row in rows.select_related("project").order_by("name")]
    return [f"{name}: {result.problem.title}." for name, result in results if result.problem]


def _draft(staff: StaffAgent, origin: str) -> Draft:
    settings = {"audience": staff.audience}
    return Draft(f"{origin}{staff.path}", CARD_PATH, False, staff.method, settings, name=staff.name)


def _assign_role(page: str, identity: Identity) -> None:
    """By the form of the endpoint's own page: an endpoint keeps its roles itself."""
    assigned = outbound.fetch("POST", page, data={"assign": identity.principal_id, "name": identity.name})
    if assigned.status != 204:
        raise RuntimeError(f"{page} answered {assigned.status}.")
