"""The request id that rows and answers share."""

from contextvars import ContextVar

from uuid_utils import uuid4

current_request: ContextVar[str] = ContextVar("current_request", default="")


def new_request_id() -> str:
    """`req_` and 20 hexadecimal digits: short enough to read out, long enough never to meet twice."""
    return f"req_{uuid4().hex[12:]}"
