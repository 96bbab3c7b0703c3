"""How long something still works after it was taken away, in every process, while the load of `make bench` runs."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import aiohttp

from benchmarks import world
from benchmarks.loading import Cell, Target, begin_load
from connections import keeping, offering
from connections.models import Connection
from connections.secrets import NewSecret
from consent import grants
from consent.models import Grant
from portal.agents import keys
from portal.agents.models import AgentKey
from portal.identities import roster, setting_up
from portal.projects import assignments
from portal.projects.models import RoleAssignment

PROMISED = 1.0  # seconds from the commit to the first call that must see it
# So many that each of two processes has some of them.
CALLERS = 4
UNDER_LOAD = 6.0


def _rotate(way: world.Way, owner) -> None:
    new = [NewSecret("credential", 0, "x-api-key", world.NEXT_KEY)]
    keeping.replace(Connection.objects.get(pk=way.connection.pk), new, {}, owner)


CHANGES: dict[str, tuple[str, Callable]] = {
    "a rotated secret": ("key", _rotate),
    "a revoked grant": ("oauth", lambda way, owner: grants.revoke(Grant.objects.get(agent=way.agent), owner)),
    "a disabled identity": (
        "entra",
        lambda way, owner: setting_up.disable(roster.shared_by_agents(way.connection.project), owner),
    ),
    "a removed role": (
        "oauth",
        lambda way, owner: assignments.remove(RoleAssignment.objects.get(user=way.user), owner),
    ),
    "a deleted connection": (
        "entra",
        lambda way, owner: offering.delete(Connection.objects.get(pk=way.connection.pk), owner),
    ),
    "a revoked key": ("key", lambda way, owner: keys.revoke(AgentKey.objects.get(agent=way.agent), owner)),
}


@dataclass
class Watched:
    """A change, and when each call was begun that the endpoint still answered under the old credential."""

    what: str
    way: world.Way
    done_at: float = 0.0
    begun: dict[int, list[float]] = field(default_factory=dict)

    def after(self, port: int) -> float:
        """Seconds from the commit to the beginning of the last call that still worked; below 0: none did."""
        return max(self.begun.get(port, [0.0])) - self.done_at


@dataclass(frozen=True)
class Found:
    what: str
    processes: int
    seconds: float


def measured(targets: list[Target], endpoint: str, owner) -> tuple[list[Found], list[Cell]]:
    """What was found, and the load that ran meanwhile."""
    watched = []
    for number, (what, (word, _)) in enumerate(CHANGES.items(), start=1):
        watched.append(Watched(what, world.make_way(word, endpoint, owner, number)))
    servers = {target.server.port: target.processes for target in targets if target.connection}
    with _load(targets) as cells, _calling(watched, list(servers)):
        time.sleep(1.5)
        for each in watched:
            CHANGES[each.what][1](each.way, owner)
            each.done_at = time.time()
            time.sleep(0.3)
        time.sleep(PROMISED + 1)
    return [Found(each.what, servers[port], each.after(port)) for each in watched for port in servers], cells


def broken(found: list[Found]) -> list[str]:
    late = [one for one in found if one.seconds > PROMISED]
    never = [one for one in found if one.seconds < -5]
    return [f"{one.what} worked for {one.seconds:.2f} s more" for one in late] + [
        f"{one.what}: no call ever worked" for one in never
    ]


@contextlib.contextmanager
def _load(targets: list[Target]) -> Iterator[list[Cell]]:
    """16 connections at each gateway, through the key-based connection; the cells have their round afterwards."""
    cells = [Cell(target, "short", 16) for target in targets if target.name == "key"]
    ends = [begin_load(cell, UNDER_LOAD) for cell in cells]
    yield cells
    for cell, end in zip(cells, ends, strict=True):
        cell.rounds.append(end())


@contextlib.contextmanager
def _calling(watched: list[Watched], ports: list[int]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_all(watched, ports, stop)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def _all(watched: list[Watched], ports: list[int], stop: threading.Event) -> None:
    calls = [_call_on(each, port, stop) for each in watched for port in ports for _ in range(CALLERS)]
    await asyncio.gather(*calls)


async def _call_on(watched: Watched, port: int, stop: threading.Event) -> None:
    """On a kept-alive connection of its own, and so in one process of the server."""
    message = {"messageId": "m", "contextId": f"c-{watched.way.word}", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 7, "method": "SendMessage", "params": {"message": message}}, separators=(",", ":")
    )
    headers = watched.way.headers | {"Content-Type": "application/json"}
    works = f"m by {watched.way.word}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
        while not stop.is_set():
            began = time.time()
            with contextlib.suppress(aiohttp.ClientError):
                address = f"http://127.0.0.1:{port}{watched.way.path}"
                async with http.post(address, data=body, headers=headers) as answer:
                    if works in await answer.text():
                        watched.begun.setdefault(port, []).append(began)
            await asyncio.sleep(0.03)
