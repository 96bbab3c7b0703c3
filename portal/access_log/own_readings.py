"""Who read the log is in the log: at most once a minute for the same person and the same question.

Turning pages is the same question; another filter, or one opened row, is another. The row is written before anything is
shown, so that a log that can't be written can't be read either.
"""

import hashlib
import json

from django.core.cache import cache
from django.http import HttpRequest

from portal.audit import events, log
from portal.projects.models import Project

SECONDS = 60


def note(request: HttpRequest, project: Project | None, details: dict) -> None:
    question = json.dumps([str(request.user.id), project and str(project.id), details], sort_keys=True)
    seen = f"log-read:{hashlib.sha256(question.encode()).hexdigest()}"
    if cache.get(seen) is None:
        log.record(events.LOG_READ, log.Actor.of(request.user), project=project, details=details)
        cache.set(seen, 1, SECONDS)
