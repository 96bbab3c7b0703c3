"""Where a cluster's Unix socket stands: beside its data or, if that path is too long, elsewhere."""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from launcher.private import private_directory, write_private

_SOCKET = ".s.PGSQL.5432"
_LONGEST_PATH = 107  # bytes of sun_path without its closing zero, unix(7)


def make(cluster: Path) -> Path:
    """A directory with mode 700 for the socket; one elsewhere is recorded in `<cluster>/socket-directory`."""
    if _fits(cluster / "socket"):
        return private_directory(cluster / "socket")
    if recorded := _recorded(cluster):
        return recorded
    place = Path(tempfile.mkdtemp(prefix="gatehouse-"))
    write_private(cluster / "socket-directory", str(place))
    return place


def find(cluster: Path) -> Path | None:
    """The directory that `make` has made, if it has."""
    beside = cluster / "socket"
    return beside if beside.is_dir() and _fits(beside) else _recorded(cluster)


def forget(cluster: Path) -> None:
    """Remove a recorded place; call it when the server has stopped."""
    if place := _recorded(cluster):
        shutil.rmtree(place, ignore_errors=True)
        (cluster / "socket-directory").unlink()


def _fits(directory: Path) -> bool:
    # A comma separates directories for PostgreSQL and hosts for libpq; a quote would end the setting.
    short = len(os.fsencode(directory / _SOCKET)) <= _LONGEST_PATH
    return short and not re.search(r'[,"]', str(directory))


def _recorded(cluster: Path) -> Path | None:
    # After a reboot somebody else may own that name in the shared temporary directory.
    with contextlib.suppress(OSError):
        place = Path((cluster / "socket-directory").read_text())
        status = place.lstat()
        if status.st_uid == os.geteuid() and status.st_mode == 0o040700:
            return place
    return None
