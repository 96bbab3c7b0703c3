"""How the asynchronous client dials: an address is checked when it is found, and again when it is dialled."""

import asyncio
import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

from portal.outbound import names
from portal.outbound.addresses import check_address
from portal.outbound.errors import AddressBlocked

# An endpoint that stops reading would otherwise keep its half-sent request in memory for ever.
_UNACKNOWLEDGED_MS = 30_000


class RefusedToDial(OSError):
    """Carries the reason through the library, which expects an OSError here."""

    def __init__(self, reason: AddressBlocked):
        super().__init__("refused")
        self.reason = reason


class CheckedResolver(AbstractResolver):
    """Raises NameNotFound or AddressBlocked; all answers of a name must pass (T25)."""

    def __init__(self, plain: bool):
        self._plain = plain

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(names.lookups(), names.ask, host, port)
        return [_result(host, address, port) for address in names.checked(answers, port, self._plain, host)]

    async def close(self) -> None:
        """Nothing to give back: the threads belong to the process."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)


def checked_socket_factory(plain: bool) -> Callable[[tuple], socket.socket]:
    """Makes the sockets of a connector; the last check stands here, where nothing can go past it."""

    def open_socket(address_info: tuple) -> socket.socket:
        family, kind, protocol, _, destination = address_info
        try:
            check_address(destination[0], destination[1], plain)
        except AddressBlocked as error:
            refusal = RefusedToDial(error)
        else:
            return _tuned(socket.socket(family, kind, protocol))
        raise refusal

    return open_socket


def _tuned(made: socket.socket) -> socket.socket:
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    return made
