"""One line per module that has a table in this storey."""

from portal.agents.models import Agent, AgentKey, SpeakingPermission
from portal.audit.models import ChangeCounter, LastUse, LogKey, LogRow
from portal.heartbeats import Heartbeat
from portal.identities.models import Audience, Identity, IdentitySource, IdentityToken, SigningKey
from portal.installation import Installation
from portal.projects.models import Invitation, Project, RoleAssignment
from portal.users import User
from portal.vault import DataKey

__all__ = [
    "Agent",
    "AgentKey",
    "Audience",
    "ChangeCounter",
    "DataKey",
    "Identity",
    "IdentitySource",
    "IdentityToken",
    "Heartbeat",
    "Installation",
    "Invitation",
    "LastUse",
    "LogKey",
    "LogRow",
    "Project",
    "RoleAssignment",
    "SigningKey",
    "SpeakingPermission",
    "User",
]
