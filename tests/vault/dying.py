"""A reseal that is killed where it is told to, as by a machine that loses power.

`python -m tests.vault.dying batch=3 --data-keys`: when the third batch is written and not committed. Further arguments
are the command's own.
"""

import itertools
import os
import signal
import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from portal import resealing, sealed, vault  # noqa: E402


def dies(work, at: int):
    count = itertools.count(1)

    def done(*arguments):
        result = work(*arguments)
        if next(count) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return done


if __name__ == "__main__":
    where, at = sys.argv[1].split("=")
    if where == "key":
        # The old key is retired and the new one made, in a transaction that is still open.
        vault.replace_data_key = dies(vault.replace_data_key, int(at))
    elif where == "batch":
        sealed.Sealed.swap = dies(sealed.Sealed.swap, int(at))
    elif where == "end":
        resealing.move = dies(resealing.move, int(at))
    call_command("reseal", *sys.argv[2:])
