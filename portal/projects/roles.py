"""The whole RBAC on one screen: what can be permitted, which role permits it, who may give which role.

Names and ids are Foundry's (foundry.md section 3; the A2A authentication page uses the names of before May 2026).
Roles are explicit sets: there is no wildcard at run time. What Foundry has no action for begins with `Gatehouse/`.
"""

from django.db import models

_ACCOUNTS = "Microsoft.CognitiveServices/accounts"


class Permission(models.TextChoices):
    """Foundry's action name, and the words in which a person reads it."""

    PROJECT_READ = f"{_ACCOUNTS}/projects/read", "Open the project"
    PROJECT_WRITE = f"{_ACCOUNTS}/projects/write", "Create or change projects"
    CONNECTION_READ = f"{_ACCOUNTS}/projects/connections/read", "See connections"
    CONNECTION_WRITE = f"{_ACCOUNTS}/projects/connections/write", "Create or change a connection"
    CONNECTION_DELETE = f"{_ACCOUNTS}/projects/connections/delete", "Delete a connection"
    AGENT_READ = f"{_ACCOUNTS}/AIServices/agents/read", "See agents"
    AGENT_WRITE = f"{_ACCOUNTS}/AIServices/agents/write", "Register agents and manage own ones"
    AGENT_MANAGE = "Gatehouse/agents/manage/action", "Manage everybody's agents and their keys"
    AGENT_PUBLISH = f"{_ACCOUNTS}/projects/applications/write", "Publish agents"
    AGENT_INTERACT = (
        f"{_ACCOUNTS}/AIServices/endpoints/interact/action",
        "Use agents and connect own accounts",
    )
    ROLE_READ = "Microsoft.Authorization/roleAssignments/read", "See who has which role"
    ROLE_WRITE = "Microsoft.Authorization/roleAssignments/write", "Give roles"
    ROLE_DELETE = "Microsoft.Authorization/roleAssignments/delete", "Remove roles"
    PERSON_WRITE = "Gatehouse/people/write", "Deactivate and reactivate people"
    IDENTITY_WRITE = "Gatehouse/identities/write", "Set up the identities of the project"
    AUDIENCE_WRITE = "Gatehouse/audiences/write", "List audiences, allot identities and rotate signing keys"
    PUBLISHER_APP_WRITE = "Gatehouse/publisherApps/write", "Register publishers' apps for managed OAuth"
    SPEAKING_WRITE = "Gatehouse/agents/speakForUsers/write", "Let an agent speak for users"
    LOG_READ = "Gatehouse/accessLog/read", "Open the access log"


class Role(models.TextChoices):
    AI_USER = "azure-ai-user", "Azure AI User"
    PROJECT_MANAGER = "azure-ai-project-manager", "Azure AI Project Manager"
    ACCOUNT_OWNER = "azure-ai-account-owner", "Azure AI Account Owner"
    AI_OWNER = "azure-ai-owner", "Azure AI Owner"
    AGENT_CONSUMER = "foundry-agent-consumer", "Foundry Agent Consumer"
    READER = "reader", "Reader"
    OWNER = "owner", "Owner"
    CONTRIBUTOR = "contributor", "Contributor"
    AUDITOR = "auditor", "Auditor"


# The ids that Foundry and Azure use for these roles; ours alone has none.
ROLE_IDS = {
    Role.AI_USER: "53ca6127-db72-4b80-b1b0-d745d6d5456d",
    Role.PROJECT_MANAGER: "eadc314b-1a2d-4efa-be10-5d325db5065e",
    Role.ACCOUNT_OWNER: "e47c6f54-e4a2-4754-9501-8e0985b135e1",
    Role.AI_OWNER: "c883944f-8b7b-4483-af10-35834be79c4a",
    Role.AGENT_CONSUMER: "eed3b665-ab3a-47b6-8f48-c9382fb1dad6",
    Role.READER: "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    Role.OWNER: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    Role.CONTRIBUTOR: "b24988ac-6180-42a0-ab88-20f7382dd24c",
}
NEW_NAMES = {
    Role.AI_USER: "Foundry User",
    Role.PROJECT_MANAGER: "Foundry Project Manager",
    Role.ACCOUNT_OWNER: "Foundry Account Owner",
    Role.AI_OWNER: "Foundry Owner",
}

P = Permission
_SEE = frozenset({P.PROJECT_READ, P.CONNECTION_READ, P.AGENT_READ, P.ROLE_READ})
_CONNECT = frozenset({P.CONNECTION_WRITE, P.CONNECTION_DELETE, P.IDENTITY_WRITE})
_BUILD = frozenset({P.AGENT_WRITE, P.AGENT_INTERACT})
_GIVE = frozenset({P.ROLE_WRITE, P.ROLE_DELETE})

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.AI_USER: _SEE | _BUILD,
    Role.PROJECT_MANAGER: _SEE | _CONNECT | _BUILD | _GIVE | {P.AGENT_MANAGE, P.AGENT_PUBLISH},
    Role.ACCOUNT_OWNER: _SEE | _CONNECT | _GIVE | {P.PROJECT_WRITE},
    Role.AI_OWNER: _SEE | _CONNECT | _BUILD | _GIVE | {P.AGENT_MANAGE, P.AGENT_PUBLISH, P.PROJECT_WRITE},
    Role.AGENT_CONSUMER: frozenset({P.PROJECT_READ, P.AGENT_INTERACT}),
    Role.READER: _SEE,
    Role.OWNER: _SEE
    | _CONNECT
    | _GIVE
    | {P.PROJECT_WRITE, P.AGENT_PUBLISH, P.SPEAKING_WRITE, P.AUDIENCE_WRITE, P.PUBLISHER_APP_WRITE, P.PERSON_WRITE},
    Role.CONTRIBUTOR: _SEE | _CONNECT | {P.PROJECT_WRITE},
    Role.AUDITOR: frozenset({P.PROJECT_READ, P.LOG_READ}),
}

# What counts on the whole portal only, because people, audiences and publishers' apps belong to no project.
ON_THE_PORTAL = frozenset({P.PERSON_WRITE, P.AUDIENCE_WRITE, P.PUBLISHER_APP_WRITE})

# Who may give and remove which role: Azure's condition lets the Foundry roles hand out Azure AI User only.
GIVES: dict[Role, frozenset[Role]] = {
    Role.OWNER: frozenset(Role),
    Role.PROJECT_MANAGER: frozenset({Role.AI_USER}),
    Role.ACCOUNT_OWNER: frozenset({Role.AI_USER}),
    Role.AI_OWNER: frozenset({Role.AI_USER}),
}


def roles_with(permission: Permission) -> list[Role]:
    """The roles that would do, the least powerful first."""
    return sorted((role for role in Role if permission in PERMISSIONS[role]), key=lambda r: len(PERMISSIONS[r]))
