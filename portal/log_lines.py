"""How a log record is written: as a line for people, or as one JSON object. LOGGING names it before the apps are there.

Both carry the request's id and pass `portal.redaction`. In JSON an exception is its type and its frames: its text, and
the values it was about, stay out.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from portal import env
from portal.audit.context import current_request
from portal.redaction import redacted

FORMATS = ("line", "json")
MOST_FRAMES = 50
# Whoever can choose a name or a path could otherwise write lines of his own, or move the terminal's cursor (T29).
_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def formatter() -> logging.Formatter:
    """The one that LOG_FORMAT names; anything but `json` is the line."""
    return JsonObject() if env.text("LOG_FORMAT", "line") == "json" else Line()


class Line(logging.Formatter):
    """Time, level, logger, message, and the request's id where there is one; a traceback in the lines below."""

    def format(self, record: logging.LogRecord) -> str:
        request_id = request_of(record)
        parts = [self.formatTime(record), record.levelname, record.name, message_of(record).translate(_CONTROLS)]
        lines = [" ".join([*parts, f"({request_id})"] if request_id else parts)]
        error = _raised(record)
        if error is not None:
            lines.append(self.formatException((type(error), error, error.__traceback__)))
        return redacted("\n".join(lines))


class JsonObject(logging.Formatter):
    """One object in one line: time (ISO, UTC), level, logger, message, request_id, process, exception."""

    def format(self, record: logging.LogRecord) -> str:
        written: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(message_of(record)),
            "request_id": request_of(record) or None,
            "process": record.process,
        }
        error = _raised(record)
        if error is not None:
            written["exception"] = described(error)
        return json.dumps({name: value for name, value in written.items() if value is not None})


def message_of(record: logging.LogRecord) -> str:
    """The message. A failed task's has the exception's text in it, so there only the type is left."""
    given = record.args
    try:
        if record.name == "celery.app.trace" and isinstance(given, Mapping) and "exc" in given:
            return (str(record.msg) % {**given, "exc": str(given["exc"]).partition("(")[0], "traceback": ""}).rstrip()
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A message that does not fit its arguments must not end up on standard error with all of them.
        return str(record.msg)


def request_of(record: logging.LogRecord) -> str:
    """The id of the request under way, or of the one that the record brings along."""
    return current_request.get() or getattr(getattr(record, "request", None), "request_id", "")


def described(error: BaseException) -> dict[str, Any]:
    """Type, frames and causes; no text, no source lines, no values."""
    causes, seen = [], {id(error)}
    cause = _cause(error)
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        causes.append({"type": _type(cause), "frames": _frames(cause.__traceback__)})
        cause = _cause(cause)
    return {
        "type": _type(error),
        "frames": _frames(error.__traceback__),
        **({"causes": causes} if causes else {}),
    }


def _raised(record: logging.LogRecord) -> BaseException | None:
    given = record.exc_info
    if given is True:
        given = sys.exc_info()
    return given[1] if isinstance(given, tuple) else given if isinstance(given, BaseException) else None


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _type(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _frames(trace: TracebackType | None) -> list[str]:
    """The innermost last."""
    walked = [(frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in traceback.walk_tb(trace)]
    return [f"{path}:{line} {name}" for path, line, name in walked[-MOST_FRAMES:]]
