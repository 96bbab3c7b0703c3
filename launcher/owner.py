"""Whose processes these are: the owner of the checkout's, also when root starts them."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from launcher.refusal import Refusal

_OWN_NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def become_owner(checkout: Path) -> None:
    """As root in somebody's checkout, go on as that somebody, so that nothing in it becomes root's.

    Does nothing for an ordinary user, and where root itself owns the checkout.
    """
    stat = checkout.stat()
    if os.geteuid() != 0 or stat.st_uid == 0:
        return
    try:
        os.setgroups([])
        os.setgid(stat.st_gid)
        os.setuid(stat.st_uid)
    except PermissionError:
        raise Refusal(
            f"{checkout} belongs to user {stat.st_uid}, and this process may not become that user. "
            f"Run the command as that user."
        ) from None
    _forget_root(stat.st_uid)
    if not os.access(sys.executable, os.X_OK):
        raise Refusal(
            f"User {stat.st_uid}, who owns {checkout}, cannot run {sys.executable}. "
            "Make .venv with a Python that everybody can run: make clean, then make PYTHON=/usr/bin/python3 …"
        )


def _forget_root(uid: int) -> None:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]
    try:
        person = pwd.getpwuid(uid)
    except KeyError:  # a bind mount's owner need not be known in this container
        os.environ.update(HOME="/", USER=str(uid), LOGNAME=str(uid))
    else:
        os.environ.update(HOME=person.pw_dir, USER=person.pw_name, LOGNAME=person.pw_name)


def without_root() -> list[str]:
    """What stands before a command that refuses to run as root, as PostgreSQL's do; [] for an ordinary user.

    In a user namespace of its own the process sees itself as user 1000 while its files stay root's: no
    account is made, no file changes its owner, and it works below a private home directory.
    """
    if os.geteuid() != 0:
        return []
    if not shutil.which("unshare") or not _namespaces_allowed():
        raise Refusal(
            "PostgreSQL does not run as root, and this machine allows no user namespace (unshare --user). "
            "Run the command as an ordinary user that owns the checkout."
        )
    return _OWN_NAMESPACE


def _namespaces_allowed() -> bool:
    return subprocess.run([*_OWN_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
