"""Tasks that say, return and raise what no log may hold: for a worker that a test starts with `-I`."""

import logging

from celery import shared_task

from tests.fakes.canaries import CANARIES, PLAIN

logger = logging.getLogger("tests.loud")


@shared_task
def shout() -> None:
    for name, line in CANARIES.items():
        logger.warning("worker says %s: %s", name, line)
    print("printed:", *CANARIES.values())


@shared_task
def fail() -> None:
    held = PLAIN
    raise ValueError(f"refused {held} with {CANARIES['bearer']}")
