"""What an examination says: of one thing, whether it is right, why, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    LOOK = "look at this"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """`why` and `remedy` hold no secret, and nothing of an error's own text."""

    about: str
    verdict: Verdict
    why: str
    remedy: str = ""


def ok(about: str, why: str) -> Finding:
    return Finding(about, Verdict.OK, why)


def look(about: str, why: str, remedy: str) -> Finding:
    return Finding(about, Verdict.LOOK, why, remedy)


def broken(about: str, why: str, remedy: str) -> Finding:
    return Finding(about, Verdict.BROKEN, why, remedy)
