"""Was a grant lost? The provider's ledger against what the portal says, and nothing of the portal is asked for it.

A family that the provider ended by itself is no loss. One that it ended because an old token came again is, unless the
answer to the last rotation never arrived: the provider had no grace then, nobody can know the new token, and the
portal must say so (`interrupted_refresh`).
"""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.soak.provider import AFTER

KEPT, ENDED, INTERRUPTED, LOST = "kept", "ended by the provider", "interrupted after the rotation", "LOST"
# Seconds. A request may be under way for so long after it was read (consent.oauth2.DEADLINE, and the commit), and the
# provider may read it so long after its process was struck: it had left before.
UNDER_WAY, ON_ITS_WAY = 15.0, 15.0


@dataclass
class Struck:
    """When which process was killed or frozen, in seconds since the epoch."""

    times: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, pid: int, at: float) -> None:
        self.times[pid].append(at)

    def of(self, request: dict) -> list[float]:
        return self.times.get(request["by"], [])

    def cut(self, request: dict) -> bool:
        """Whether the answer to this request may never have arrived, or may have arrived at somebody who died."""
        struck = any(-ON_ITS_WAY <= at - request["at"] <= UNDER_WAY for at in self.of(request))
        return struck or bool(request["struck"]) or request["fault"] in AFTER


def of_ended(reason: str, kept: int, family: dict, has_grace: bool, struck: Struck) -> tuple[str, str]:
    """(verdict, why) on a grant that needs consent, for the `reason` that the portal gives.

    `kept`: how often new tokens of it were committed to the portal's database.
    """
    if not family["ended"]:
        return LOST, f"the portal says {reason}, and the provider had not ended it"
    if family["ended"] == "invalid_grant":
        told = reason in ("refresh_token_ended", "interrupted_refresh")
        return (ENDED, reason) if told else (LOST, f"ended by the provider, and the portal says {reason}")
    if has_grace:
        return LOST, "an old token was used after the grace"
    if kept >= family["newest"]:
        return LOST, "an old token was used although the newest was kept"
    rotations = [request for request in family["requests"] if request["did"] == "rotated"]
    if not struck.cut(rotations[-1]):
        return LOST, "the newest token was answered to somebody who lived, and was not kept"
    if reason != "interrupted_refresh":
        return LOST, f"interrupted after the rotation, and the portal says {reason}"
    return INTERRUPTED, reason


def of_active(held: tuple[str, int] | None, name: str, family: dict) -> tuple[str, str]:
    """The same on a grant that the portal calls active, when nothing is under way any more."""
    if family["ended"]:
        return LOST, f"the portal calls it active, and the provider ended it ({family['ended']})"
    if held != (name, family["newest"]):
        return LOST, "the token that is stored is not the newest"
    return KEPT, ""
