"""The request id that rows and answers share."""

import secrets
from contextvars import ContextVar

current_request: ContextVar[str] = ContextVar("current_request", default="")


def new_request_id() -> str:
    """`req_` and 20 hexadecimal digits: short enough to read out, long enough never to meet twice."""
    return f"req_{secrets.token_hex(10)}"
