"""python -m launcher check: migrations complete, and fit for production."""

import sys
from pathlib import Path

from launcher.foreground import foreground
from launcher.testing import test_environment

_MANAGE = [sys.executable, "manage.py"]


def check(checkout: Path, _: list[str]) -> int:
    """Exit code 0 when no model lacks its migration and `check --deploy` has nothing to warn about."""
    with test_environment(checkout) as environment:
        production = {**environment, "PUBLIC_URL": "https://gatehouse.example.com"}
        return foreground([*_MANAGE, "makemigrations", "--check", "--dry-run"], environment, checkout) or foreground(
            [*_MANAGE, "check", "--deploy", "--fail-level", "WARNING"], production, checkout
        )
