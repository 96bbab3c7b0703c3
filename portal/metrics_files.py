"""Where the processes of one server count together, when it has several: a folder of theirs in GATEHOUSE_VAR.

The folder is named after the server that started them, with the moment of its start, for numbers of processes come
again. Its counts end with the server, as those of a single process do.
"""

import logging
import multiprocessing
import os
import platform
import re
import shutil
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

ROOM = 262_144
LIVE = re.compile(r"gauge_live\w*_(\d+)\.db")


def prepare() -> Path | None:
    """The folder to count in, made and named to the library; None in a process that is alone."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    if multiprocessing.parent_process() is None:
        return None
    server = os.getppid()
    folder = settings.VAR_DIR / "metrics" / f"{platform.node()}.{server}.{_started(server)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_others(folder)
        _reserve(folder)
    except OSError as error:
        logger.warning("Processes can't count together, so each shows its own figures: %s", error.strerror)
        return None
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    return folder


def forget_the_dead(folder: Path) -> None:
    """What a process that is gone had open is open no more. Its counts stay."""
    for path in folder.iterdir():
        found = LIVE.fullmatch(path.name)
        if found and not _started(int(found[1])):
            path.unlink(missing_ok=True)


def _reserve(folder: Path) -> None:
    """This process's files, with room on the disk: one that is full later would kill whoever counts in them."""
    for kind in ("counter", "histogram", "gauge_livesum"):
        with (folder / f"{kind}_{os.getpid()}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)


def _remove_others(mine: Path) -> None:
    """Folders of this machine's servers that are gone."""
    for folder in mine.parent.iterdir():
        machine, process, started = (folder.name.rsplit(".", 2) + ["", ""])[:3]
        if machine == platform.node() and process.isdigit() and _started(int(process)) != started:
            shutil.rmtree(folder, ignore_errors=True)


def _started(process: int) -> str:
    """When a process began, in the machine's ticks; empty when there is none."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    # The name stands in parentheses and may hold anything; the 20th field after it is the start.
    return stat.rpartition(")")[2].split()[19]
