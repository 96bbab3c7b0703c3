"""Where a checkout keeps what it makes."""

import os
from pathlib import Path

from launcher.private import private_directory


def var_directory(checkout: Path) -> Path:
    """`var/`, or GATEHOUSE_VAR, with mode 700."""
    return private_directory(Path(os.environ.get("GATEHOUSE_VAR") or checkout / "var").absolute())


def demo_cluster_directory(var: Path) -> Path:
    """Where the database of `make run` lives."""
    return var / "postgres"
