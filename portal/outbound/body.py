"""The body of an asynchronous request, which knows whether any of the request was written."""

from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_exceptions import ClientConnectionResetError
from aiohttp.payload import Payload

# In pieces, so that a large body and a slow reader do not hold up the event loop.
_PIECE = 262_144


class Body(Payload):
    """`written` stays False until the connection took the first bytes; headers go with the body's first piece."""

    def __init__(self, value: bytes):
        super().__init__(value)
        self.written = False

    @property
    def size(self) -> int:
        return len(self._value)

    @property
    def autoclose(self) -> bool:
        return True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        transport = writer.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError
        self.written = True
        if len(self._value) <= _PIECE:
            await writer.write(self._value)
            return
        whole = memoryview(self._value)
        for start in range(0, len(whole), _PIECE):
            await writer.write(whole[start : start + _PIECE])
