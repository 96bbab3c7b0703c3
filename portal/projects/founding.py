"""Creates projects and changes what is said about them. A project's name is part of addresses and never changes."""

from django.db import IntegrityError, transaction

from portal.audit import changes, events, log
from portal.projects.models import Project
from portal.users import User

# `/projects/new/` is a page.
RESERVED_NAMES = frozenset({"new"})


class NameTaken(Exception):
    """Another project has this name, or one that differs in case only; or it is an address of the portal's own."""


def create(name: str, by: User, display_name: str = "", description: str = "") -> Project:
    """The creator gets no role in it: only a role on the portal lets them create, and that one reaches every project.

    More would let a Contributor become Owner of something by making it (T12). Raises NameTaken.
    """
    if name.casefold() in RESERVED_NAMES:
        raise NameTaken
    with changes.announced():
        try:
            with transaction.atomic():
                project = Project.objects.create(
                    name=name, display_name=display_name, description=description, created_by=by
                )
        except IntegrityError:
            raise NameTaken from None
        log.record(events.PROJECT_CREATED, log.Actor.of(by), project=project)
    return project


def change(project: Project, by: User, display_name: str, description: str) -> None:
    """What people read. Nothing is written where nothing changed."""
    new = {"display_name": display_name, "description": description}
    changed = [name for name, value in new.items() if getattr(project, name) != value]
    if not changed:
        return
    with changes.announced():
        Project.objects.filter(pk=project.pk).update(**new)
        log.record(events.PROJECT_CHANGED, log.Actor.of(by), project=project, details={"changed": ", ".join(changed)})
