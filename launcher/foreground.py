"""A command in the terminal's foreground: it reads the keyboard and gets Ctrl-C itself."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from launcher import children
from launcher.refusal import Refusal
from launcher.stopping import Stopped, keyboard_left_to_child
from launcher.surroundings import Environment


def foreground(command: Sequence[str], environment: Environment, directory: Path) -> int:
    """Run the command to its end and return its exit code, 128 + signal when a signal ended it."""
    try:
        process = children.spawn(command, when_orphaned=signal.SIGTERM, env=environment, cwd=directory)
    except FileNotFoundError:
        raise Refusal(f"There is no command {command[0]}.") from None
    try:
        with keyboard_left_to_child():
            code = process.wait()
    except Stopped:
        children.end(process, [(signal.SIGTERM, 10)])
        raise
    return code if code >= 0 else 128 - code


def checked(command: Sequence[str], environment: Environment, directory: Path, failure: str) -> None:
    """Run a step whose output matters only when it fails; raises Refusal with it then."""
    done = children.spawn(
        command,
        when_orphaned=signal.SIGTERM,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = done.communicate()
    except BaseException:
        children.end(done, [(signal.SIGTERM, 5)])
        raise
    if done.returncode != 0:
        raise Refusal(f"{output.rstrip()}\n\n{failure}")
