"""python -m launcher exec -- command…: one command in the surroundings of `make run`."""

import json
import os
from pathlib import Path

from launcher.foreground import foreground
from launcher.places import demo_cluster_directory, var_directory
from launcher.postgres import Cluster
from launcher.refusal import Refusal
from launcher.surroundings import Environment, for_demo, refuse_if_not_a_demo


def execute(checkout: Path, arguments: list[str]) -> int:
    """Run the command on the demo's database, that of a running `make run` if there is one."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        raise Refusal("Say which command: python -m launcher exec -- python manage.py shell")
    given = dict(os.environ)
    refuse_if_not_a_demo(given)
    var = var_directory(checkout)
    given = {**_address_of_the_demo(var), **given}
    cluster = Cluster(demo_cluster_directory(var))
    if not cluster.lock():
        return _beside_the_running_one(cluster, command, given, var, checkout)
    with cluster:
        return foreground(command, for_demo(given, var, cluster.url), checkout)


def _beside_the_running_one(cluster: Cluster, command: list[str], given: Environment, var: Path, checkout: Path) -> int:
    if not cluster.answers():
        raise Refusal(f"Process {cluster.holder()} holds the database in {cluster.directory} and is not ready.")
    return foreground(command, for_demo(given, var, cluster.url), checkout)


def _address_of_the_demo(var: Path) -> Environment:
    # A link that the command prints must lead to the portal that runs, perhaps on another port.
    try:
        return {"PUBLIC_URL": json.loads((var / "demo.json").read_text())["url"]}
    except (OSError, ValueError, KeyError):
        return {}
