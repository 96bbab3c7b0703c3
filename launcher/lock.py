"""Who has a directory to himself: a lock that the kernel takes back from the dead."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO


class Lock:
    """An exclusive flock(2) on a file, which names the process id of its last holder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def take(self) -> bool:
        """Whether this process has it now; never waits."""
        file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._file = file
            return True
        file.close()
        return False

    def release(self) -> None:
        """Give it back; a child that inherited `fileno()` keeps it until it ends."""
        if self._file:
            self._file.close()
            self._file = None

    def fileno(self) -> int:
        assert self._file, "not held"
        return self._file.fileno()

    def holder(self) -> str:
        """The process id of the last holder."""
        return self._path.read_text() or "unknown"
