"""The processes of `make bench`: started, awaited, ended; and what they used, from /proc."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60
NGINX = """
daemon off; pid {place}/pid; error_log {place}/error.log crit; worker_processes {processes};
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/f;
  uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  upstream endpoint {{ server 127.0.0.1:{endpoint}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024; keepalive_requests 100000000;
    location / {{
      proxy_pass http://endpoint; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection ""; proxy_set_header X-Api-Key {credential};
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen

    def family(self) -> list[int]:
        """The process and all below it."""
        children: dict[int, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                children.setdefault(int(_fields(path)[1]), []).append(int(path.parent.name))
        found = [self.process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_seconds(self) -> float:
        return sum(_cpu_of(pid) for pid in self.family())

    def memory(self) -> float:
        """MB: what is resident, shared pages counted once (PSS)."""
        return sum(_memory_of(pid) for pid in self.family())


def _fields(stat: Path) -> list[str]:
    """From the state on: the name before it may hold spaces."""
    return stat.read_text().rpartition(")")[2].split()


def _cpu_of(pid: int) -> float:
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory_of(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(command: list[str] | str, port: int, environment: dict[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command, shell=isinstance(command, str), cwd=CHECKOUT, env=environment, start_new_session=True
    )
    try:
        _await(port, process)
        yield Server(port, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(port: int, process: subprocess.Popen) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit("A server of the benchmark did not start.")


def web_command(application: str = "portal.asgi:application") -> str:
    """The web process as the Procfile has it."""
    lines = (CHECKOUT / "Procfile").read_text().splitlines()
    [line] = [line.removeprefix("web:").strip() for line in lines if line.startswith("web:")]
    return f"exec {line.replace('portal.asgi:application', application)}"


def web(application: str, processes: int, environment: dict[str, str]):
    """uvicorn with the Procfile's flags."""
    port = environment.get("BENCH_PORT") or str(free_port())
    own = {"HOST": "127.0.0.1", "PORT": port, "WEB_CONCURRENCY": str(processes), "SHUTDOWN_SECONDS": "5"}
    return serving(web_command(application), int(port), environment | own)


def endpoint(port: int, environment: dict[str, str]):
    return serving([sys.executable, "-m", "benchmarks.endpoint", str(port)], port, environment)


@contextlib.contextmanager
def nginx(processes: int, endpoint_port: int, credential: str) -> Iterator[Server | None]:
    """None where it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as place:
        Path(place, "nginx.conf").write_text(
            NGINX.format(place=place, processes=processes, endpoint=endpoint_port, port=port, credential=credential)
        )
        with serving([program, "-p", place, "-c", f"{place}/nginx.conf"], port, dict(os.environ)) as server:
            yield server
