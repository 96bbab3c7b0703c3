"""Microsoft Entra's token endpoint, behind our own door to the network: what libraries speak to it through.

They get good answers only. Whatever else comes is turned into a code here, so that no library can log, keep or put into
an exception what Entra says (T27).
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from portal.identities import failures
from portal.identities.obtaining import TokenUnavailable
from portal.outbound.errors import OutboundError
from portal.outbound.session import fetch

LARGEST_ANSWER = 65_536
LONGEST_TOKEN = 16_384
# A managed identity's token lives for a day; nobody's lives for more than a week.
LONGEST_LIFE = 7 * 24 * 3600

# A GUID or a domain. `common`, `organizations`, `consumers` and `adfs` mean something else than one tenant.
_TENANT = re.compile(r"[0-9A-Za-z-]{36}|[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+")
_PATH = re.compile(r"/[0-9A-Za-z.-]+/oauth2/v2\.0/token")
_TOKEN = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_TOKEN}}}")


def authority_of(tenant: str) -> str:
    return f"{settings.ENTRA_AUTHORITY}/{tenant}"


def token_endpoint_of(tenant: str) -> str:
    """What a blueprint's secret is sealed to, and where it is sent."""
    return f"{authority_of(tenant)}/oauth2/v2.0/token"


def seconds_of(value: Any) -> int:
    """A lifetime, as a number or (v1) as digits. Raises TokenUnavailable."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if type(value) is not int or not 0 < value <= LONGEST_LIFE:
        raise TokenUnavailable(failures.UNREADABLE, failures.BUSY_SECONDS)
    return value


def is_token(value: Any) -> bool:
    """Whether it can stand in a header."""
    return isinstance(value, str) and bool(_TOKEN.fullmatch(value))


@dataclass(frozen=True)
class Answered:
    """What msal reads of a response."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """There are only good ones."""


class Door:
    """msal's `http_client`, for one token of one tenant. Everything that it does ends at `ends` (monotonic)."""

    def __init__(self, tenant: str, ends: float) -> None:
        if not _TENANT.fullmatch(tenant):
            raise TokenUnavailable("entra_tenant_unknown", failures.REFUSED_SECONDS)
        self._tenant, self._ends = tenant, ends
        self._metadata: Answered | None = None

    def get(self, url: str, *, headers: Mapping[str, Any] | None = None, **_: Any) -> Answered:
        """The OpenID metadata of the tenant: the same for both steps."""
        if url != f"{authority_of(self._tenant)}/v2.0/.well-known/openid-configuration":
            raise TokenUnavailable(failures.UNREADABLE)
        if self._metadata is None:
            answered, content = self._fetch("GET", url, headers)
            endpoints = [content.get(name) for name in ("token_endpoint", "authorization_endpoint")]
            if not all(isinstance(each, str) for each in endpoints) or not _is_token_endpoint(endpoints[0]):
                raise TokenUnavailable(failures.UNREADABLE, failures.BUSY_SECONDS)
            self._metadata = answered
        return self._metadata

    def post(self, url: str, *, headers: Mapping[str, Any] | None = None, data: Any = None, **_: Any) -> Answered:
        """A token request; to nobody but the authority of the settings."""
        if not _is_token_endpoint(url):
            raise TokenUnavailable(failures.UNREADABLE)
        answered, content = self._fetch("POST", url, headers, data)
        seconds_of(content.get("expires_in"))
        kind = content.get("token_type")
        if not is_token(content.get("access_token")) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise TokenUnavailable(failures.UNREADABLE, failures.BUSY_SECONDS)
        return answered

    def close(self) -> None:
        """Every request has a connection of its own."""

    def _fetch(self, method: str, url: str, headers: Any, data: Any = None) -> tuple[Answered, dict[str, Any]]:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TokenUnavailable(failures.UNREACHABLE)
        pairs = [(name, str(value)) for name, value in (headers or {}).items()]
        try:
            answer = fetch(method, url, headers=pairs, data=data, limit=LARGEST_ANSWER, deadline=left)
        except OutboundError as error:
            refused = failures.of_outbound(error)
        else:
            content = object_of(answer.body)
            if answer.status == 200 and content is not None and "error" not in content:
                # Only these: what is said beside them is logged by msal.
                kept = {name: content[name] for name in _READ if name in content}
                return Answered(200, json.dumps(kept), {"content-type": "application/json"}), kept
            refused = failures.of_answer(answer.status, content, answer.header("retry-after"))
        # Outside of the handler: what failed must not hang on what is raised.
        raise refused


_READ = ("access_token", "token_type", "expires_in", "token_endpoint", "authorization_endpoint", "issuer")


def object_of(body: bytes) -> dict[str, Any] | None:
    """The JSON object that the body is, None for everything else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _is_token_endpoint(url: str) -> bool:
    """The tenant in it may be spelled otherwise than it was entered: the metadata of a domain names its GUID."""
    parts, own = urlsplit(url), urlsplit(settings.ENTRA_AUTHORITY)
    return (parts.scheme, parts.netloc) == (own.scheme, own.netloc) and bool(_PATH.fullmatch(parts.path))
