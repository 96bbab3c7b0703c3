"""What the agents' pages show: rows of the list, keys with their last use, who may be spoken for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Prefetch, Q
from django.utils import timezone

from portal.agents import panels
from portal.agents.keys import LIVE_KEYS
from portal.agents.models import Agent, AgentKey, SpeakingPermission
from portal.audit.models import LastUse
from portal.identities import roster
from portal.identities.models import Identity, Source
from portal.projects.models import Project

WARN = timedelta(days=14)


@dataclass(frozen=True)
class KeyRow:
    key: AgentKey
    last_used: datetime | None

    @property
    def expires_soon(self) -> bool:
        ends = self.key.expires_at
        return self.key.is_live and ends is not None and ends - timezone.now() <= WARN

    @property
    def ended_at(self) -> datetime:
        """When a key that is not live stopped working."""
        return min(moment for moment in (self.key.revoked_at, self.key.expires_at) if moment is not None)

    @property
    def was_revoked(self) -> bool:
        return self.key.revoked_at is not None and self.ended_at == self.key.revoked_at


@dataclass(frozen=True)
class AgentRow:
    agent: Agent
    live_keys: int
    last_used: datetime | None
    counts: tuple[int, ...]
    waits_for: str = ""

    @property
    def speaking(self) -> SpeakingPermission | None:
        return speaking_of(self.agent)


def rows_of(project: Project) -> list[AgentRow]:
    live = Q(keys__revoked_at=None) & (Q(keys__expires_at=None) | Q(keys__expires_at__gt=timezone.now()))
    agents = (
        project.agents.select_related("registered_by", "speaking")
        .prefetch_related(Prefetch("keys", AgentKey.objects.only("id", "agent_id")))
        .annotate(live_keys=Count("keys", filter=live))
        .order_by("name")
    )
    used = last_uses(key.id for agent in agents for key in agent.keys.all())
    waiting = _waiting(project)
    counted = [panel.counts(project) for panel in panels.panels()]
    return [
        AgentRow(
            agent,
            agent.live_keys,
            max((used[key.id] for key in agent.keys.all() if key.id in used), default=None),
            tuple(counts.get(agent.id, 0) for counts in counted),
            waiting.get(agent.id, ""),
        )
        for agent in agents
    ]


def _waiting(project: Project) -> dict[UUID, str]:
    """Published agent to the identity that nobody has made for it yet."""
    source = Source(roster.source_of(project).kind)
    if source == Source.PORTAL:
        return {}
    ready = project.identities.filter(source=source, kind=Identity.Kind.AGENT).exclude(client_id="")
    published = project.agents.filter(published_at__isnull=False).exclude(id__in=ready.values("agent_id"))
    return {agent.id: roster.name_of_own(project, agent.name) for agent in published}


def key_rows(agent: Agent) -> list[KeyRow]:
    """The newest first."""
    keys = list(agent.keys.select_related("made_by", "revoked_by").order_by("-made_at"))
    used = last_uses(key.id for key in keys)
    return [KeyRow(key, used.get(key.id)) for key in keys]


def keys_context(agent: Agent) -> dict:
    rows = key_rows(agent)
    live = [row for row in rows if row.key.is_live]
    return {
        "live_keys": live,
        "ended_keys": [row for row in rows if not row.key.is_live],
        "most_keys": LIVE_KEYS,
        "may_make_key": len(live) < LIVE_KEYS and not agent.is_playground,
    }


def speaking_of(agent: Agent) -> SpeakingPermission | None:
    """The permission while it counts; one that has ended reads as none."""
    permission = getattr(agent, "speaking", None)
    return permission if permission is not None and permission.is_current else None


def last_uses(subjects: Iterable[UUID]) -> dict[UUID, datetime]:
    return dict(LastUse.objects.filter(subject__in=list(subjects)).values_list("subject", "at"))
