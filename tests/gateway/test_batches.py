"""Work of many calls done by one statement: who shares it, and that the fault of one is nobody else's."""

import asyncio
import threading

import pytest

from connections.gateway.batches import Batches
from connections.gateway.threads import Threads


@pytest.fixture
def threads():
    made = Threads(2)
    yield made
    made.close()


def test_who_comes_while_a_batch_is_under_way_is_in_the_next_one(threads):
    done: list[list[int]] = []
    go_on = threading.Event()

    def double(items: list[int]) -> list[int]:
        done.append(items)
        go_on.wait(5)
        return [2 * item for item in items]

    async def ask() -> list[int]:
        batches = Batches(threads, double)
        first = asyncio.ensure_future(batches.run(1))
        await asyncio.sleep(0.05)
        others = [asyncio.ensure_future(batches.run(item)) for item in (2, 3, 4)]
        await asyncio.sleep(0.05)
        go_on.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(ask()) == [2, 4, 6, 8]
    assert done == [[1], [2, 3, 4]]


def test_the_fault_of_one_is_nobody_elses(threads):
    def inverse(items: list[int]) -> list[float]:
        return [1 / item for item in items]

    async def ask() -> list:
        batches = Batches(threads, inverse, faults=(ZeroDivisionError,))
        together = [batches.run(item) for item in (1, 0, 2)]
        return [*await asyncio.gather(*together, return_exceptions=True), await batches.run(4)]

    first, fault, third, later = asyncio.run(ask())
    assert (first, third, later) == (1, 0.5, 0.25)
    assert isinstance(fault, ZeroDivisionError)


def test_what_nobody_alone_is_at_fault_for_all_hear_of_at_once(threads):
    asked: list[list[int]] = []

    def fail(items: list[int]) -> list[int]:
        asked.append(items)
        raise ConnectionError

    async def ask() -> list:
        batches = Batches(threads, fail, faults=(ZeroDivisionError,))
        return await asyncio.gather(batches.run(1), batches.run(2), return_exceptions=True)

    assert [type(each) for each in asyncio.run(ask())] == [ConnectionError, ConnectionError]
    assert asked == [[1, 2]]


def test_who_leaves_holds_up_nobody(threads):
    async def ask() -> list[int]:
        batches = Batches(threads, list)
        leaves = asyncio.ensure_future(batches.run(1))
        stays = asyncio.ensure_future(batches.run(2))
        await asyncio.sleep(0)
        leaves.cancel()
        return [await stays, await batches.run(3)]

    assert asyncio.run(ask()) == [2, 3]
