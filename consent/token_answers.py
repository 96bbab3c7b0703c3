"""What a token endpoint answers. Every byte of it is hostile until it has passed here (T20).

Nothing of a provider's own words is kept: errors become one of our few kinds, because what is to be done differs and
only that matters.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from consent.publishers import Wire
from portal.outbound.session import Answer
from portal.vault import Secret

LONGEST_TOKEN = 16_384
SHORTEST_LIFE, LONGEST_LIFE = 60, 30 * 24 * 3600
LONGEST_REFRESH_LIFE = 5 * 365 * 24 * 3600
LONGEST_PAUSE = 3600


class TokenRefused(Exception):
    """Base of what a token endpoint can say no with; `code` is an entry of the troubleshooting catalogue.

    `retry_after`: seconds until asking again makes sense.
    """

    code = "provider_failed"
    pause = 30

    def __init__(self, retry_after: int | None = None) -> None:
        super().__init__(self.code)
        self.retry_after = self.pause if retry_after is None else retry_after


class GrantEnded(TokenRefused):
    """`invalid_grant`: this code or refresh token is dead, and only the user can give a new one."""

    code = "refresh_token_ended"


class ClientRefused(TokenRefused):
    """`invalid_client` or `unauthorized_client`: an administrator must act; what users gave stays."""

    code = "oauth_client_refused"


class RequestRefused(TokenRefused):
    """The provider understood and said no for another reason: wrong scope, resource or parameter."""

    code = "provider_refused_request"


class ProviderBusy(TokenRefused):
    """It answered that it can't now, having done nothing: 429, or never reached."""

    code = "provider_unavailable"


class Uncertain(TokenRefused):
    """No usable answer although the request was sent: the provider may have rotated the refresh token.

    The pause is short: many providers take the old token once more within some seconds.
    """

    code = "refresh_uncertain"
    pause = 5


@dataclass(frozen=True)
class Tokens:
    """A token answer that held: `expires_in` in seconds or None when not said; `scopes` None means as asked.

    `refresh_expires_in`: of the refresh token, where a provider says so; there is no standard for it.
    """

    access: Secret
    refresh: Secret | None
    expires_in: int | None
    scopes: tuple[str, ...] | None
    refresh_expires_in: int | None = None
    # As it came, not verified yet.
    id_token: Secret | None = None


def read(answer: Answer, wire: Wire, path: tuple[str, ...] = ()) -> Tokens:
    """The tokens that stand at `path`; where `wire` says nothing else, as RFC 6749 5.1 and 5.2 have it.

    Errors are looked for before the status: some providers answer them with 200 (protocols.md 2.3).
    """
    members = members_of(answer)
    if _says_no(members, wire):
        raise _refusal(str(members.get("error", "")), answer, wire)
    if answer.status == 429:
        raise ProviderBusy(_retry_after(answer))
    if answer.status >= 500:
        raise Uncertain(_retry_after(answer))
    if answer.status != 200:
        raise RequestRefused
    tokens = _strict(members, wire, path) if _is_json(answer) else None
    if tokens is None:
        raise Uncertain
    return tokens


ENDED = {"invalid_grant", "invalid_refresh_token", "bad_refresh_token", "token_revoked", "interaction_required"}
CLIENT = {"invalid_client", "unauthorized_client", "incorrect_client_credentials", "invalid_client_id"}
BUSY = {"temporarily_unavailable", "slow_down", "ratelimited"}


def _says_no(members: dict[str, Any], wire: Wire) -> bool:
    return bool(members.get("error")) or any(members.get(name) is False for name in ("ok", wire.success_member))


def _refusal(error: str, answer: Answer, wire: Wire) -> TokenRefused:
    if error in BUSY or answer.status == 429:
        return ProviderBusy(_retry_after(answer))
    if answer.status >= 500:
        # Whatever it says: a server that fails in the middle may have rotated before.
        return Uncertain(_retry_after(answer))
    if error in ENDED or error in wire.ended_errors:
        return GrantEnded()
    if error == "invalid_client" or error in wire.client_errors:
        return ClientRefused()
    if answer.status in wire.ended_statuses:
        return GrantEnded()
    return ClientRefused() if error in CLIENT else RequestRefused()


def _retry_after(answer: Answer) -> int | None:
    """Seconds, at most an hour; also from a date (RFC 9110 10.2.3). None where it is not said or not readable."""
    value = answer.header("retry-after").strip()
    if value.isdecimal() and len(value) < 10:
        return min(int(value), LONGEST_PAUSE)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0, min(round(seconds), LONGEST_PAUSE))


def _is_json(answer: Answer) -> bool:
    kind = answer.header("content-type").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def members_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of the body; {} for anything else."""
    try:
        members = json.loads(answer.body, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A member that comes twice can be read in two ways (RFC 6749 5.1 and 3.2 know each once)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate")
    return members


def _strict(members: dict[str, Any], wire: Wire, path: tuple[str, ...]) -> Tokens | None:
    """A token answer as RFC 6749 5.1 has it; None for everything that a header or a row can't hold safely."""
    try:
        _check_success(members, wire)
        members = _at(path, members)
        _check_type(members.get("token_type"), wire.token_types)
        refresh_token = members.get("refresh_token")
        return Tokens(
            access=_token(members.get("access_token")),
            refresh=_token(refresh_token) if refresh_token not in (None, "") else None,
            expires_in=_lifetime(members.get("expires_in"), wire.expires_default),
            scopes=_scopes(members.get("scope")),
            refresh_expires_in=_refresh_lifetime(members),
            id_token=_id_token(members.get("id_token")),
        )
    except ValueError:
        return None


def _check_success(members: dict[str, Any], wire: Wire) -> None:
    if wire.success_member and members.get(wire.success_member) is not True:
        raise ValueError(wire.success_member)


def _at(path: tuple[str, ...], members: Any) -> dict[str, Any]:
    for name in path:
        members = members.get(name) if isinstance(members, dict) else None
    if not isinstance(members, dict):
        raise ValueError("path")
    return members


def _check_type(value: Any, accepted: tuple[str, ...]) -> None:
    """Required, in any case (RFC 6749 7.1): a token of another type sent as a bearer token is a leak or a riddle."""
    said = "" if value is None else value
    if not isinstance(said, str) or said.lower() not in accepted:
        raise ValueError("token_type")


def _token(value: Any) -> Secret:
    """RFC 6749 A.12: visible ASCII, so that no token can break out of a header."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TOKEN:
        raise ValueError("token")
    if not all(0x21 <= ord(letter) <= 0x7E for letter in value):
        raise ValueError("token")
    return Secret(value)


def _id_token(value: Any) -> Secret | None:
    """What can be none stays one that does not verify: a refresh, which needs none, is not spoilt by it."""
    if value in (None, ""):
        return None
    return Secret(value if isinstance(value, str) and len(value) <= LONGEST_TOKEN and value.isascii() else "unreadable")


def _lifetime(value: Any, unsaid: int | None) -> int | None:
    """Seconds, within reason; some providers send a string. Not said is not for ever: None, or as the record has it."""
    if value is None:
        return unsaid
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise ValueError("expires_in")
    return max(SHORTEST_LIFE, min(int(value), LONGEST_LIFE))


def _refresh_lifetime(members: dict[str, Any]) -> int | None:
    """As Microsoft and GitHub name it, and as Keycloak does, whose 0 is for ever. What can't be read is not said."""
    for name in ("refresh_token_expires_in", "refresh_expires_in"):
        said = str(members.get(name))
        if said.isdecimal() and len(said) < 16 and int(said):
            return min(int(said), LONGEST_REFRESH_LIFE)
    return None


def _scopes(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    # Printable, because PostgreSQL's JSON has no place for NUL.
    if not isinstance(value, str) or len(value) > 4096 or not value.isprintable():
        raise ValueError("scope")
    return tuple(value.replace(",", " ").split())
