"""Sessions end after an hour without a request, and 12 hours after signing in whatever happens (T23).

The limits stand in the stored row, so a copied cookie gains nothing. Moving the end on is one statement of its own, at
most once a minute: saving the session at every request would write back what a request beside it has just changed.
"""

import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.sessions.backends import db
from django.utils import timezone

BEGAN = "_began"


def begin(request) -> None:
    """Counts the 12 hours from now. Called at every sign-in."""
    request.session[BEGAN] = int(time.time())


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls):
        return db.SessionStore.get_model_class()

    def create_model_instance(self, data):
        data.setdefault(BEGAN, int(time.time()))
        row = super().create_model_instance(data)
        row.expire_date = end_of(data)
        return row

    def load(self):
        row = self._get_session_from_db()
        if row is None:
            return {}
        data = self.decode(row.session_data)
        end = end_of(data)
        if end <= timezone.now():
            self.delete(row.pk)
            self._session_key = None
            return {}
        if end - row.expire_date > settings.SESSION_EXTEND_EVERY:
            self.model.objects.filter(pk=row.pk).update(expire_date=end)
        return data


def end_of(data: dict) -> datetime:
    """When a session with this data ends if nothing more happens."""
    absolute = datetime.fromtimestamp(data.get(BEGAN, 0), UTC) + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return min(absolute, timezone.now() + settings.SESSION_IDLE)
