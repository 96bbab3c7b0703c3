"""What the tests of scheduled probes share: time that has passed, a round, an endpoint that counts."""

import asyncio
from datetime import timedelta

from django.db.models import F

from connections.models import Connection, Watch
from connections.watching import plan, rounds
from tests.factories import make_connection

KEY = ("x-api-key", "s3cret-ledger-value")


def connected(project, url: str, name: str | None = None, **fields) -> Connection:
    return make_connection(project, url, name, **{"credential": KEY, **fields})


def pass_time(seconds: float) -> None:
    """For the plan; no clock is touched."""
    gone = timedelta(seconds=seconds)
    Watch.objects.update(due_at=F("due_at") - gone, logged_at=F("logged_at") - gone)


def probe_all() -> int:
    """Everything is due, and is probed once."""
    plan.begin_watching()
    pass_time(3600)
    return rounds.probe_what_is_due(seconds=0.01)


class Answering:
    """An A2A endpoint of a few lines: knows no task, refuses another key than `key`, and counts."""

    def __init__(self, key: str = KEY[1], waits: float = 0.0) -> None:
        self.key, self.waits = key, waits
        self.calls, self.at_once, self.most_at_once, self.cards = 0, 0, 0, 0

    async def __call__(self, scope, receive, send) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.waits)
        is_card = scope["path"].endswith("agent-card.json")
        right = dict(scope["headers"]).get(b"x-api-key", b"").decode() == self.key
        self.cards, self.calls = self.cards + is_card, self.calls + (not is_card)
        status, body = (200, CARD) if is_card else (200, NOT_FOUND) if right else (401, b"no")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self.at_once -= 1


CARD = b'{"name": "Ledger", "version": "1.8.0", "url": "http://127.0.0.1:9/", "signatures": [{"protected": "e30"}]}'
NOT_FOUND = b'{"jsonrpc": "2.0", "id": "1", "error": {"code": -32001, "message": "Task not found"}}'
