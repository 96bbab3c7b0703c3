"""How a run of the whole suite shares the cores: file by file, the longest first, the delicate last and alone.

`make test T="-n 0"` keeps everything in one process; `-n 3` takes three. Each process must find the same tests in the
same order: what is given to `parametrize` is no set.
"""

import os
from collections import Counter

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

MOST = 2  # processes, as on the machine of the checks; what more of them do to the clocks below was never tried

# Five seconds and more. Begun first, so that no process has one of them left when the others have ended.
LONGEST = (
    "tests/soak/test_short_form.py",
    "tests/consent/test_refresh_races.py",
    "tests/test_permissions.py",
    "tests/consent/test_gateway_oauth.py",
    "tests/journeys/test_main_job.py",
    "tests/gateway/test_consent.py",
    "tests/journeys/test_oauth_passthrough.py",
    "tests/consent/test_grants.py",
    "tests/gateway/test_owners.py",
    "tests/audit/test_committer.py",
    "tests/journeys/test_agent_framework.py",
    "tests/launcher/test_postgres.py",
    "tests/gateway/test_speaking.py",
    "tests/demo/test_endpoint.py",
    "tests/launcher/test_exec.py",
    "tests/gateway/test_projects_apart.py",
    "tests/gateway/test_keys.py",
)

# Files with workers of the one queue that the environment names: in one process, or they take each other's tasks.
ONE_QUEUE = (
    "tests/consent/test_sweeping.py",
    "tests/connections/test_probe_workers.py",
    "tests/doctor/test_doctor.py",
    "tests/test_heartbeats.py",
    "tests/test_log_lines.py",
)

# Files, or tests of them, that nothing else may run beside: measured against the clock within a fraction of a
# second, with a storm of calls, with one queue for everybody, or with most of the connections that a database allows.
ALONE = (
    "tests/audit/test_queue.py",
    "tests/consent/test_refresh_races.py::test_64_callers_in_4_processes_make_one_request_and_the_grant_lives",
    "tests/gateway/test_durability.py",
    "tests/gateway/test_endpoint_faults.py",
    "tests/gateway/test_freshness.py",
    "tests/gateway/test_streams.py",
    "tests/outbound/test_limits.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """0 is this process alone. A few tests are over before another one has its database."""
    whole = config.args_source is config.ArgsSource.TESTPATHS
    cores = min(MOST, len(os.sched_getaffinity(0)))
    return cores if whole and cores > 1 else 0


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> "FileByFile":
    return FileByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files are given out in the order of the items. Inside a file nothing moves."""
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(_file(item.nodeid) for item in items)

    def place(item: pytest.Item) -> tuple[bool, int, int]:
        file = _file(item.nodeid)
        rank = LONGEST.index(file) if file in LONGEST else len(LONGEST)
        rank = -1 if file in ONE_QUEUE else rank
        return _alone(item.nodeid), rank, -sizes[file]

    items.sort(key=place)


class FileByFile(LoadFileScheduling):
    """xdist's own way, but what stands in ALONE is one piece, begun when every other process has ended."""

    def _split_scope(self, nodeid: str) -> str:
        if _alone(nodeid):
            return "alone"
        return "one queue" if _file(nodeid) in ONE_QUEUE else super()._split_scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if next(iter(self.workqueue)) != "alone" or self.nodes == [node]:
            super()._assign_work_unit(node)
        elif not all(other.shutting_down for other in self.nodes if other is not node):
            node.shutdown()

    def remove_node(self, node: WorkerController) -> str | None:
        crashed = super().remove_node(node)
        for left in self.nodes:
            self._reschedule(left)
        return crashed


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _alone(nodeid: str) -> bool:
    return _file(nodeid) in ALONE or nodeid.partition("[")[0] in ALONE
