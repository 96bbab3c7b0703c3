import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from portal.audit import log
from portal.audit.models import ChangeCounter
from tests.audit.waiting import Waiting


@pytest.fixture
def counter(transactional_db) -> ChangeCounter:
    """The counter's one row; emptying the tables after a test takes it away."""
    return ChangeCounter.objects.get_or_create(id=1)[0]


@pytest.fixture
def committer(transactional_db) -> Iterator[Waiting]:
    made = Waiting(log.Committer())
    yield made
    made.close()


@pytest.fixture
def elsewhere(transactional_db) -> Iterator[psycopg.Connection]:
    """A second connection to the same database, as another process would have one."""
    with psycopg.connect(**_parameters(), autocommit=True) as other:
        yield other


@contextlib.contextmanager
def another_process() -> Iterator[psycopg.Connection]:
    with psycopg.connect(**_parameters()) as other:
        yield other


def _parameters() -> dict:
    settings = connection.settings_dict
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return {name: settings[key] for name, key in names.items() if settings[key]}
