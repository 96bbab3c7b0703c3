"""Reads an endpoint's answers, only to observe: which task and context they name, and whether they are errors.

Servers differ and are lenient with each other, so nothing here raises on a shape it does not know.
"""

import codecs
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

LONGEST_ID = 256
UNKEPT = re.compile("[\0\ud800-\udfff]")
STATES_03 = {"task", "message", "status-update", "artifact-update"}


@dataclass(frozen=True)
class Named:
    """A task (may be empty) and its context (may be empty), as an answer names them."""

    task: str = ""
    context: str = ""


def can_be_kept(name: str) -> bool:
    """Whether a task's or context's id can be remembered: not endless, and in letters that PostgreSQL takes."""
    return len(name) <= LONGEST_ID and not UNKEPT.search(name)


def loads(data: bytes) -> Any:
    """The parsed JSON, or None where it is none."""
    try:
        return json.loads(data.removeprefix(codecs.BOM_UTF8).decode())
    except (ValueError, RecursionError):
        return None


def dumps(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can carry
        return json.dumps(value, separators=(",", ":")).encode()


def result_of(payload: Any) -> Any:
    """What is inside a JSON-RPC envelope; an HTTP+JSON answer is its own result."""
    if isinstance(payload, dict) and payload.get("jsonrpc"):
        return payload.get("result")
    return payload


def is_error(payload: Any) -> bool:
    return isinstance(payload, dict) and isinstance(payload.get("error"), dict)


def named_in(payload: Any) -> list[Named]:
    """Every task and context that the answer is about, in both dialects; [] for what is not understood."""
    result = result_of(payload)
    if not isinstance(result, dict):
        return []
    listed = _member(result, "tasks")
    if isinstance(listed, list):
        return [named for task in listed if (named := _task(task))]
    for name in ("task", "message", "msg", "statusUpdate", "artifactUpdate"):
        inner = _member(result, name)
        if isinstance(inner, dict):
            return _one(_task(inner) if name == "task" else _update(inner))
    is_update = result.get("kind") in STATES_03 - {"task"} or _member(result, "taskId") is not None
    return _one(_update(result) if is_update else _task(result))


def _one(named: Named | None) -> list[Named]:
    return [named] if named else []


def _task(task: Any) -> Named | None:
    if not isinstance(task, dict) or not isinstance(task.get("id"), str) or "status" not in task:
        return None
    return Named(task["id"], _text(task, "contextId"))


def _update(update: dict) -> Named | None:
    named = Named(_text(update, "taskId"), _text(update, "contextId"))
    return named if named.task or named.context else None


def _text(members: dict, name: str) -> str:
    value = _member(members, name)
    return value if isinstance(value, str) else ""


def _member(members: dict, name: str) -> Any:
    """`taskId` or `task_id`: servers write either."""
    return members[name] if name in members else members.get(_snake(name))


@cache
def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def keep_tasks(payload: Any, mine: set[str]) -> Any:
    """A page of ListTasks with only the tasks in `mine`; its total no longer counts the others.

    Where else an endpoint might put tasks is not known, so of the page nothing else passes but numbers and texts.
    """
    result = result_of(payload)
    listed = result.get("tasks") if isinstance(result, dict) else None
    tasks = listed if isinstance(listed, list) else []
    kept = [task for task in tasks if isinstance(task, dict) and task.get("id") in mine]
    plain = {k: v for k, v in result.items() if not isinstance(v, dict | list)} if isinstance(result, dict) else {}
    counted = {name: len(kept) for name in ("totalSize", "total_size") if name in plain}
    page = plain | {"tasks": kept} | counted
    return page if result is payload else payload | {"result": page}


def replace_contexts(payload: Any, names: dict[str, str]) -> Any:
    """The same payload with context ids exchanged, wherever a member of that name stands."""
    if isinstance(payload, dict):
        return {
            key: names.get(value, value)
            if key in ("contextId", "context_id") and isinstance(value, str)
            else replace_contexts(value, names)
            for key, value in payload.items()
        }
    if isinstance(payload, list):
        return [replace_contexts(item, names) for item in payload]
    return payload
