"""Secrets are resealed while a gateway answers calls with them: no call fails, and a kill costs nothing.

CI runs the short form. The long one, with the numbers that are promised:
GATEHOUSE_RESEAL_SECRETS=10000 GATEHOUSE_RESEAL_RATE=500 make test T="tests/vault/test_reseal_under_load.py -s"
"""

import json
import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from connections.models import Connection, Secret
from portal import resealing, vault
from portal.agents.models import Agent
from portal.vault import DataKey
from tests import factories
from tests.consent.workers import ROOT, _environment
from tests.fakes.server import serve
from tests.gateway.second import second_gateway
from tests.gateway.test_freshness import Endpoint
from tests.vault.test_reseal import all_open, new_front, without_old

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
SECRETS = int(os.environ.get("GATEHOUSE_RESEAL_SECRETS", "600"))
RATE = float(os.environ.get("GATEHOUSE_RESEAL_RATE", "60"))
PROJECTS = 5
PROMISED = 60.0  # seconds, both runs together


def test_no_call_fails_while_all_are_resealed_with_a_kill_in_the_middle(settings, tmp_path, capfd):
    with serve(Endpoint()) as endpoint:
        agents = [factories.make_agent(factories.make_project()) for _ in range(PROJECTS)]
        keys = {agent.id: factories.make_key(agent) for agent in agents}
        made = [each for agent in agents for each in make_connections(agent, endpoint.url, SECRETS // PROJECTS)]
        DataKey.objects.update(created_at=F("created_at") - timedelta(hours=2))
        new_front(settings)
        # Straight to the database: the door of the other tests would be what limits the calls.
        straight = _environment(None)["DATABASE_URL"]
        with second_gateway(tmp_path / "output", DATABASE_URL=straight) as gateway:
            settings.PUBLIC_URL = gateway.url
            calls = [[each.gateway_url, keys[agent.id], value] for agent, each, value in made]
            load = subprocess.Popen(
                [sys.executable, "-m", "tests.vault.load", str(RATE)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            load.stdin.write(json.dumps(calls) + "\n")
            load.stdin.flush()
            time.sleep(2)
            before = time.monotonic()
            killed = run("-m", "tests.vault.dying", f"batch={SECRETS // 2 // resealing.BATCH}", "--data-keys")
            assert killed.returncode == -9, killed.stderr
            left = resealing.to_move()
            assert 0 < left < SECRETS
            ended = run("manage.py", "reseal", "--data-keys")
            seconds = time.monotonic() - before
            assert ended.returncode == 0, ended.stderr
            time.sleep(2)
            seen = json.loads(load.communicate()[0])
    with capfd.disabled():
        print(f"\n{SECRETS} secrets in {seconds:.1f} s, killed with {left} left.\n{ended.stdout}{seen}")
    assert seen["failed"] == 0, seen["examples"]
    assert seen["calls"] > RATE
    assert seconds < PROMISED
    assert resealing.to_move() == 0 and DataKey.objects.exclude(retired_at=None).count() == PROJECTS
    without_old(settings)
    assert all_open() == SECRETS


@pytest.mark.parametrize("where", ["key=2", "batch=1", "end=1"])
def test_wherever_a_run_is_killed_the_next_one_ends_it(where):
    made = [factories.make_connection(factories.make_project()) for _ in range(3)]
    DataKey.objects.update(created_at=F("created_at") - timedelta(hours=2))
    killed = run("-m", "tests.vault.dying", where, "--data-keys")
    assert killed.returncode == -9, killed.stderr
    assert all_open() == len(made)
    ended = run("manage.py", "reseal", "--data-keys")
    assert ended.returncode == 0, ended.stderr
    assert resealing.to_move() == 0 and all_open() == len(made)
    assert DataKey.objects.filter(retired_at=None, emptied_at=None).count() == 3
    assert DataKey.objects.exclude(emptied_at=None).count() == 3


def make_connections(agent: Agent, endpoint: str, count: int) -> list[tuple[Agent, Connection, str]]:
    """Each with a value of its own, short enough for the endpoint to say it without its being cut out."""
    interfaces = [{"url": endpoint, "binding": "JSONRPC", "version": "1.0"}]
    fields = {"endpoint": endpoint, "interfaces": interfaces, "auth_method": "key-based", "given_to_all": True}
    connections = Connection.objects.bulk_create(
        Connection(project=agent.project, name=f"connection-{number}", **fields) for number in range(count)
    )
    rows = []
    for number, each in enumerate(connections):
        row = Secret(connection=each, field="credential", name="x-api-key")
        row.value = vault.seal(f"v{number:05}", row.binding(each.addresses()))
        rows.append(row)
    Secret.objects.bulk_create(rows)
    return [(agent, each, f"v{number:05}") for number, each in enumerate(connections)]


def run(*arguments: str) -> subprocess.CompletedProcess:
    """A Python program on the tests' database."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=_environment(None) | {"GATEHOUSE_KEYS": settings.GATEHOUSE_KEYS},
        capture_output=True,
        text=True,
        timeout=300,
    )
