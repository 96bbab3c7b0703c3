"""What can be logged: a tag beside the sentence that the auditor reads.

Tags read `subject.verb`. Upper storeys declare theirs with `Event(...)` in a module of their own; a tag is stored in
rows for years, so it is never renamed or used again for something else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Outcome(StrEnum):
    """How an act or a call ended. `IN_PROGRESS` is what an attempt shows until its outcome row is there."""

    SUCCEEDED = "succeeded"
    IN_PROGRESS = "in_progress"
    CONSENT_NEEDED = "consent_needed"
    REFUSED_BY_ENDPOINT = "refused_by_endpoint"
    NOT_PERMITTED = "not_permitted"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Event:
    """`label` names the act in the log's Method column; `sentence` is the title of its row.

    Sentences may use {who}, {agent}, {connection}, {project}, {on_behalf_of} and any detail by its name.
    """

    tag: str
    label: str
    sentence: str
    known: ClassVar[dict[str, "Event"]] = {}

    def __post_init__(self) -> None:
        if self.known.setdefault(self.tag, self) != self:
            raise ValueError(f"The tag {self.tag} is taken.")

    @classmethod
    def of(cls, tag: str) -> "Event":
        """The event of a stored row; a tag that is no longer declared still reads."""
        return cls.known.get(tag) or cls(tag, tag, f"{{who}}: {tag}")


CALL = Event("call", "Call", "{agent} called {connection}")
CALL_REFUSED = Event("call.refused", "Call refused", "A call by {who} was refused")

SIGNED_IN = Event("person.signed_in", "Signed in", "{who} signed in")
SIGN_IN_FAILED = Event("person.sign_in_failed", "Sign-in failed", "A sign-in as {email} failed")
PASSWORD_CHANGED = Event("person.password_changed", "Password changed", "{who} changed their password")
OWNER_CREATED = Event("person.owner_created", "Owner created", "{email} was made Owner from the command line")
PERSON_INVITED = Event("person.invited", "Person invited", "{who} invited {email} as {role}")
INVITATION_WITHDRAWN = Event(
    "person.invitation_withdrawn", "Invitation withdrawn", "{who} withdrew the invitation of {email}"
)
INVITATION_ACCEPTED = Event("person.invitation_accepted", "Invitation accepted", "{who} accepted an invitation")
PERSON_DEACTIVATED = Event("person.deactivated", "Person deactivated", "{who} deactivated {person}")
PERSON_REACTIVATED = Event("person.reactivated", "Person reactivated", "{who} reactivated {person}")

PROJECT_CREATED = Event("project.created", "Project created", "{who} created the project {project}")
PROJECT_CHANGED = Event("project.changed", "Project changed", "{who} changed the project {project}")
ROLE_GIVEN = Event("role.given", "Role given", "{who} gave {person} the role {role}")
ROLE_REMOVED = Event("role.removed", "Role removed", "{who} removed the role {role} from {person}")
ACCESS_DENIED = Event("access.denied", "Not permitted", "{who} was not permitted to: {what}")

KEYS_REWRAPPED = Event("keys.rewrapped", "Keys wrapped anew", "{count} keys are wrapped by {to}, no longer by {from}")
DATA_KEY_REPLACED = Event("data_key.replaced", "Data key replaced", "{scope} was given a new data key")
DATA_KEY_DESTROYED = Event("data_key.destroyed", "Data key destroyed", "A retired data key of {scope} was destroyed")

LOG_READ = Event("log.read", "Access log read", "{who} read the access log")

AGENT_REGISTERED = Event("agent.registered", "Agent registered", "{who} registered {agent}")
AGENT_CHANGED = Event("agent.changed", "Agent changed", "{who} changed {agent}")
AGENT_DISABLED = Event("agent.disabled", "Agent disabled", "{who} disabled {agent}")
AGENT_ENABLED = Event("agent.enabled", "Agent enabled", "{who} enabled {agent}")
AGENT_DELETED = Event("agent.deleted", "Agent deleted", "{who} deleted {agent}")
AGENT_PUBLISHED = Event("agent.published", "Agent published", "{who} published {agent}; it now acts as {identity}")
AGENT_UNPUBLISHED = Event(
    "agent.unpublished", "Publishing taken back", "{who} took back the publishing of {agent}; it now acts as {identity}"
)
AGENT_IDENTITY_MADE = Event("agent.identity_made", "Identity made", "{who} made the identity {identity} for {agent}")
KEY_MADE = Event("agent.key_made", "Agent key made", "{who} made the key {key} for {agent}")
KEY_REVOKED = Event("agent.key_revoked", "Agent key revoked", "{who} revoked the key {key} of {agent}")
SPEAKING_ALLOWED = Event("agent.speaking_allowed", "Speaking allowed", "{who} allowed {agent} to speak for users")
SPEAKING_WITHDRAWN = Event(
    "agent.speaking_withdrawn", "Speaking withdrawn", "{who} no longer lets {agent} speak for users"
)
