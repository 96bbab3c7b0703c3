"""make run: the demo, from nothing to an address that answers."""

import http.client
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from honcho.environ import parse_procfile

from launcher import ports
from launcher.demo_endpoint import COMMAND as ENDPOINT
from launcher.demo_endpoint import endpoint_environment
from launcher.foreground import checked
from launcher.owner import without_root
from launcher.places import demo_cluster_directory, var_directory
from launcher.postgres import Cluster
from launcher.processes import Ended, Processes
from launcher.refusal import Refusal
from launcher.stopping import Stopped
from launcher.surroundings import Environment, for_demo, port_of, refuse_if_not_a_demo
from launcher.welcome import welcome

_MANAGE = [sys.executable, "manage.py"]
_ENDPOINT_SECONDS, _READY_SECONDS = 30, 90
_TEST_SECONDS = 2
_ENDPOINT_GONE = (
    "The demo's endpoint has ended, and calls through its connections fail now. "
    "Gatehouse itself goes on; Ctrl-C and make run bring the endpoint back."
)


def run(checkout: Path, _: list[str]) -> int:
    """Start everything, say where it is, and stay until it is stopped; 1 when one of the portal's ends by itself."""
    given = dict(os.environ)
    refuse_if_not_a_demo(given)
    var = var_directory(checkout)
    cluster = Cluster(demo_cluster_directory(var))
    if not cluster.lock():
        raise Refusal(
            f"Process {cluster.holder()} uses this checkout's demo database already: another make run, or a "
            "make shell or make manage. End that one first."
        )
    _refuse_taken_port(port_of(given))
    if without_root():
        _say(f"{checkout} belongs to root: PostgreSQL runs in a user namespace, its files stay root's.")
    endpoint = endpoint_environment(given, var)
    _say("Starting PostgreSQL …")
    try:
        with cluster:
            return _serve(checkout, var, for_demo(given, var, cluster.url), endpoint)
    finally:
        _say("Stopped.")


def _serve(checkout: Path, var: Path, environment: Environment, endpoint: Environment) -> int:
    _say("Preparing the database …")
    _prepare(checkout, environment)
    with Processes(checkout) as processes:
        processes.start("endpoint", ENDPOINT, {**environment, **endpoint})
        _await_endpoint(processes, int(endpoint["DEMO_ENDPOINT_PORT"]))
        _seed(checkout, {**environment, **endpoint})
        _say("Starting Gatehouse …")
        for name, command in parse_procfile((checkout / "Procfile").read_text()).processes.items():
            processes.start(name, ["sh", "-c", f"exec {command}"], environment)
        ended = _await_readiness(processes, environment) or _test_connections(processes, environment)
        if not ended:
            _say(welcome(var))
            ended = _until_something_ends(processes)
        _say(f"The process {ended.name} ended by itself (exit code {ended.code}). Stopping the others …")
        return 1


def _until_something_ends(processes: Processes) -> Ended:
    """Of the portal: who ends the endpoint wants to see how the portal tells of it."""
    try:
        ended = processes.watch()
        if ended.name != "endpoint":
            return ended
        _say(_ENDPOINT_GONE)
        return processes.watch()
    except Stopped:
        _say("\nStopping …")
        raise


def _prepare(checkout: Path, environment: Environment) -> None:
    checked([*_MANAGE, "migrate", "--no-input"], environment, checkout, "The database could not be prepared.")
    checked(
        [*_MANAGE, "check", "--fail-level", "ERROR"], environment, checkout, "The settings do not pass their checks."
    )


def _seed(checkout: Path, environment: Environment) -> None:
    seed = [sys.executable, "-m", "demo.seed"]
    checked(seed, environment, checkout, "The demo project could not be made.")


def _await_endpoint(processes: Processes, port: int) -> None:
    ended = processes.watch(lambda: ports.listens(port), _ENDPOINT_SECONDS)
    if ended or not ports.listens(port):
        raise Refusal("The demo's endpoint did not start; its lines above say why.")


def _await_readiness(processes: Processes, environment: Environment) -> Ended | None:
    deadline = time.monotonic() + _READY_SECONDS
    ended = processes.watch(lambda: _ready(environment), _READY_SECONDS)
    if not ended and time.monotonic() >= deadline:
        raise Refusal(
            f"Gatehouse started but did not become ready within {_READY_SECONDS} seconds; "
            "the lines above, or those with LOG_LEVEL=INFO make run, say why."
        )
    return ended


def _test_connections(processes: Processes, environment: Environment) -> Ended | None:
    """So that the list shows all of them healthy. The welcome waits a moment for it, and no longer."""
    tests = processes.start("tests", [sys.executable, "-m", "demo.first_tests"], environment, may_end=True)
    return processes.watch(lambda: tests.poll() is not None, _TEST_SECONDS)


def _ready(environment: Environment) -> bool:
    host = urlsplit(environment["PUBLIC_URL"]).netloc
    connection = http.client.HTTPConnection("127.0.0.1", int(environment["PORT"]), timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _refuse_taken_port(port: int) -> None:
    try:
        free = ports.is_free(port)
    except PermissionError:
        raise Refusal(f"Port {port} needs privileges. Choose another one: make run PORT=8080") from None
    if not free:
        raise Refusal(
            f"Port {port} of 127.0.0.1 is taken by another program. Choose another one: make run PORT={port + 1}"
        )


def _say(text: str) -> None:
    print(text, flush=True)
