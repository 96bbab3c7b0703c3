"""What waits for a person in a project beyond this storey; a storey above registers it in its AppConfig.ready."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from portal.projects.models import Project
from portal.users import User


@dataclass(frozen=True)
class Waiting:
    words: str
    url: str


Finder = Callable[[User, Project], Waiting | None]
_finders: list[Finder] = []


def register(finder: Finder) -> None:
    _finders.append(finder)


def waiting(person: User, project: Project) -> Iterator[Waiting]:
    for finder in _finders:
        if found := finder(person, project):
            yield found
