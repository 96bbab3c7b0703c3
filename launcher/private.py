"""Files and directories that only their owner can open."""

import contextlib
import os
from pathlib import Path
from typing import IO

from launcher.refusal import Refusal


def private_directory(path: Path) -> Path:
    """Make the directory with mode 700, also one that was there with a wider one."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise Refusal(
            f"{path} cannot be made private ({error.strerror}). Run the command as the owner of the checkout."
        ) from None
    return path


def write_private(path: Path, text: str) -> None:
    """Write the whole file with mode 600 or leave what was there: a reader never sees half of it."""
    new = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.rename(path)


def private_log(path: Path) -> IO[bytes]:
    """Open the file empty for a child's output."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
