"""Which identities a project has. Their rows are made when first asked for; the portal's own are ready at once."""

import uuid

from django.utils import timezone

from portal import installation
from portal.identities.models import Identity, IdentitySource, Source
from portal.projects.models import Project

Kind = Identity.Kind


def source_of(project: Project) -> IdentitySource:
    """Not saved where the project never chose: its identities then come from the portal's own issuer."""
    found = IdentitySource.objects.filter(project=project).select_related("project").first()
    return found or IdentitySource(project=project)


def shared_by_agents(project: Project, source: Source | None = None) -> Identity:
    """Of all agents of the project that are not published."""
    return _of(project, Kind.SHARED, f"{project.name}-AgentIdentity", source)


def own_of_agent(project: Project, agent_id: uuid.UUID, agent_name: str, source: Source | None = None) -> Identity:
    """What an agent of the project has once it is published."""
    return _of(project, Kind.AGENT, name_of_own(project, agent_name), source, agent_id)


def name_of_own(project: Project, agent_name: str) -> str:
    return f"{project.name}-{agent_name}-AgentIdentity"


def managed_of(project: Project, source: Source | None = None) -> Identity:
    """The project managed identity, the same for all its agents."""
    return _of(project, Kind.PROJECT, f"{project.name}-ManagedIdentity", source)


def _of(
    project: Project, kind: Identity.Kind, name: str, source: Source | None, agent_id: uuid.UUID | None = None
) -> Identity:
    source = source or Source(source_of(project).kind)
    owner = {"project": project, "kind": kind, "agent_id": agent_id, "source": source}
    rows = Identity.objects.select_related("project")
    found = rows.filter(**owner).first() or rows.get_or_create(**owner, defaults={"name": name, **_ids(source)})[0]
    # What the caller knows of its project need not be read again.
    found.project = project
    return found


def _ids(source: Source) -> dict:
    """The portal's own issuer has nobody to ask; its tenant is this installation."""
    if source != Source.PORTAL:
        return {}
    tenant = str(installation.verify().id)
    return {
        "tenant": tenant,
        "client_id": str(uuid.uuid4()),
        "principal_id": str(uuid.uuid4()),
        "set_up_at": timezone.now(),
    }
