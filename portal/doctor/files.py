"""Who can read what lies on the disk."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from portal.doctor.findings import Finding, broken, look, ok

WITH_SECRETS = ("SECRET_KEY_FILE", "GATEHOUSE_KEYS_FILE", "METRICS_TOKEN_FILE")
OTHERS = 0o077


def examine() -> Iterator[Finding]:
    yield _user()
    yield _var(settings.VAR_DIR)
    for variable in WITH_SECRETS:
        if path := os.environ.get(variable):
            yield _private(variable, Path(path))


def _user() -> Finding:
    if os.geteuid() == 0:
        return look("user", "This runs as root, which no process of Gatehouse needs.", "Use an account of its own.")
    return ok("user", "This does not run as root.")


def _var(folder: Path) -> Finding:
    if not folder.is_dir():
        return look("var", "The folder of GATEHOUSE_VAR is not there yet.", "Nothing, if no worker has started yet.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        remedy = "Give it to the account that the processes run as."
        return broken("var", "The folder of GATEHOUSE_VAR can't be written to by this account.", remedy)
    if folder.stat().st_mode & OTHERS:
        return look("var", "Other accounts can look into the folder of GATEHOUSE_VAR.", f"chmod 700 {folder}")
    return ok("var", "Only this account can look into the folder of GATEHOUSE_VAR.")


def _private(variable: str, path: Path) -> Finding:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return broken(variable, f"The file that it names can't be read: {error.strerror}.", "Correct the path.")
    if mode & OTHERS:
        return look(variable, "Other accounts can read the file that it names.", f"chmod 600 {path}")
    return ok(variable, "Only its owner can read the file that it names.")
