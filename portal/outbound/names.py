"""Host names to checked addresses (T25)."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LookupTimeout
from functools import lru_cache
from pathlib import Path

from portal.outbound.addresses import check_address
from portal.outbound.errors import NameNotFound, NotReachable

_HOSTS_FILE = Path("/etc/hosts")


def resolve(host: str, port: int, plain: bool = False, timeout: float = 5.0) -> list[str]:
    """All addresses of a host name (or the IP address itself), each of them checked.

    Raises NameNotFound, NotReachable when the DNS is silent for `timeout` seconds, or AddressBlocked.
    """
    if is_literal(host):
        return checked([host], port, plain)
    try:
        answers = lookups().submit(ask, host, port).result(timeout)
    except LookupTimeout:
        answers = None
    if answers is None:
        raise NotReachable
    return checked(answers, port, plain, host)


def checked(answers: list[str], port: int, plain: bool, host: str = "") -> list[str]:
    """The answers unchanged; one bad among them refuses them all, as the next look-up might pick that one."""
    if not answers:
        raise NameNotFound.of(host)
    for address in answers:
        check_address(address, port, plain)
    return answers


def ask(host: str, port: int) -> list[str]:
    """What the hosts file or the DNS says, [] if nothing. Blocks. The trailing dot keeps search domains out."""
    if is_loopback_name(host):
        return ["127.0.0.1"]
    listed = _listed(host)
    if listed:
        return listed
    try:
        answers = socket.getaddrinfo(f"{host}.", port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def is_loopback_name(host: str) -> bool:
    """RFC 6761, 6.3: these names mean this machine, and are not to be asked of the DNS."""
    return host == "localhost" or host.endswith(".localhost")


def is_literal(host: str) -> bool:
    """For hosts that `check_url` has read: a name never ends in a digits-only label there."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def _listed(host: str) -> list[str]:
    # getaddrinfo does not find "name." in the hosts file, and "name" would bring the search domains back.
    try:
        lines = _HOSTS_FILE.read_text().splitlines()
    except (OSError, UnicodeError):
        return []
    entries = [line.partition("#")[0].split() for line in lines]
    return [entry[0] for entry in entries if host in [name.lower() for name in entry[1:]]]


@lru_cache(maxsize=1)
def lookups() -> ThreadPoolExecutor:
    """The threads that wait for the DNS: their own, so that a silent name server holds up nothing else."""
    return ThreadPoolExecutor(max_workers=32, thread_name_prefix="outbound-dns")


# A forked Celery worker has the pool but not its threads.
os.register_at_fork(after_in_child=lookups.cache_clear)
