"""python -m launcher run | test [pytest arguments] | check | exec -- command…"""

import signal
import sys
from pathlib import Path

from launcher.checking import check
from launcher.execution import execute
from launcher.owner import become_owner
from launcher.refusal import Refusal
from launcher.run import run
from launcher.stopping import Stopped, stop_on_signals
from launcher.testing import test

CHECKOUT = Path(__file__).resolve().parent.parent
_COMMANDS = {"run": run, "test": test, "check": check, "exec": execute}


def main(arguments: list[str]) -> int:
    """The exit code: the command's own, 2 for a refusal, 128 + signal when a signal ended it early."""
    if not arguments or arguments[0] not in _COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    stop_on_signals()
    try:
        become_owner(CHECKOUT)
        return _COMMANDS[arguments[0]](CHECKOUT, arguments[1:])
    except Refusal as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        return 0 if stopped.signal == signal.SIGINT else 128 + stopped.signal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
