"""What Home says of a person's consents."""

from django.urls import reverse

from consent.models import Grant
from portal.projects.models import Project
from portal.projects.waiting import Waiting
from portal.users import User


def to_renew(person: User, project: Project) -> Waiting | None:
    grants = Grant.objects.filter(user=person, connection__project=project, state=Grant.State.NEEDS_CONSENT)
    count = grants.count()
    return Waiting(f"{count} consent{'' if count == 1 else 's'} to renew", reverse("consents")) if count else None
