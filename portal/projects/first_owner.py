"""Makes an Owner from the command line: the first one, and again when every Owner is locked out."""

from portal.audit import events, log
from portal.projects.assignments import Refused, assign, changing_roles
from portal.projects.models import RoleAssignment
from portal.projects.roles import Role
from portal.users import User

# Owner gives roles and connects; only with Azure AI Owner may the same person register and use agents.
ROLES = (Role.OWNER, Role.AI_OWNER)
COMMAND_LINE = log.Actor("system", None, "Command line")


def create_owner(email: str, name: str = "") -> User:
    """The person, new or known, with both roles on the portal and no end. Raises Refused for a deactivated one."""
    email = email.strip().casefold()
    with changing_roles():
        person = User.objects.filter(email=email).first()
        if person is None:
            person = User.objects.create_user(email, name=name or email.partition("@")[0])
        if not person.is_active:
            raise Refused(f"{person} is deactivated. Name another e-mail address.")
        missing = [role for role in ROLES if not _has_for_good(person, role)]
        for role in missing:
            assign(person, role, None, COMMAND_LINE)
        if missing:
            log.record(events.OWNER_CREATED, COMMAND_LINE, details={"email": person.email})
    return person


def is_owner(email: str) -> bool:
    person = User.objects.filter(email=email.strip().casefold(), is_active=True).first()
    return person is not None and all(_has_for_good(person, role) for role in ROLES)


def _has_for_good(person: User, role: Role) -> bool:
    return RoleAssignment.objects.filter(user=person, role=role, project=None, until=None).exists()
