"""Who waits for a provider keeps nobody else waiting."""

import asyncio
import threading
import uuid

from connections.gateway.patience import FOR_ONE_CONNECTION, FOR_ONE_PROJECT, THREADS, Patience


def test_one_project_with_many_connections_leaves_threads_for_another():
    go_on = threading.Event()

    async def crowd() -> str:
        patience, project = Patience(), uuid.uuid4()
        waiting = [
            asyncio.ensure_future(patience.run(connection, project, go_on.wait, 20))
            for connection in (uuid.uuid4() for _ in range(THREADS))
            for _ in range(FOR_ONE_CONNECTION)
        ]
        await asyncio.sleep(0.2)
        try:
            async with asyncio.timeout(5):
                return await patience.run(uuid.uuid4(), uuid.uuid4(), lambda: "answered")
        finally:
            go_on.set()
            await asyncio.gather(*waiting)
            patience.close()

    assert asyncio.run(crowd()) == "answered"
    assert FOR_ONE_PROJECT < THREADS
