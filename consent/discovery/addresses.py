"""Addresses that somebody else names: which may go into the form, and where well-known documents stand."""

from urllib.parse import parse_qsl, urlsplit

from consent.oauth2 import OWN_PARAMETERS
from portal.outbound import policy
from portal.outbound.errors import OutboundError

LONGEST = 2000
# RFC 8414 3.1 and 5, OpenID Connect Discovery 4: between host and path, then behind the path.
SERVER = ("oauth-authorization-server", "openid-configuration")
RESOURCE = "oauth-protected-resource"
_KNOWN = "/.well-known/"


def usable(url: object) -> str:
    """The address in its one spelling, "" for one that this portal would not use: javascript:, plain http, a user."""
    if not isinstance(url, str) or len(url) > LONGEST:
        return ""
    try:
        target = policy.check_url(url)
    except OutboundError:
        return ""
    return target.url if urlsplit(url).path else target.url.removesuffix("/")


def usable_for_browsers(url: object) -> str:
    """The same for the authorization URL, in whose query nothing may stand that the flow sets itself."""
    address = usable(url)
    names = {name.lower() for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)}
    return "" if names & OWN_PARAMETERS else address


def is_issuer(text: object) -> bool:
    """RFC 8414 2: an address without a query. Its spelling stays as it is, because it is compared."""
    return bool(usable(text)) and "?" not in str(text)


def metadata_urls(issuer: str) -> list[str]:
    """Where an issuer's metadata may be, in the order in which it is looked for."""
    origin, path = _parts(issuer)
    inserted = [f"{origin}{_KNOWN}{name}{path}" for name in SERVER]
    appended = [f"{origin}{path}{_KNOWN}{name}" for name in reversed(SERVER)]
    return list(dict.fromkeys([*inserted, *appended]))


def issuers_of(url: str) -> tuple[str, ...]:
    """The issuers whose metadata may stand at this well-known address; () where it is no such address."""
    origin, path = _parts(url)
    for name in SERVER:
        mark = f"{_KNOWN}{name}"
        before, found, after = path.partition(mark)
        if found and not (before and after) and (not after or after.startswith("/")):
            base = f"{origin}{before or after}".rstrip("/")
            return base, f"{base}/"
    return ()


def resource_urls(endpoint: str) -> list[str]:
    """RFC 9728 3.1: with the endpoint's path, then without."""
    origin, path = _parts(endpoint)
    return list(dict.fromkeys([f"{origin}{_KNOWN}{RESOURCE}{path}", f"{origin}{_KNOWN}{RESOURCE}"]))


def resources_at(url: str, endpoint: str) -> tuple[str, ...]:
    """What a document at this address may call its resource (RFC 9728 3.3), for it to count for the endpoint.

    The endpoint itself; of a well-known address at the endpoint's own origin also what that address stands for, if the
    endpoint lies below it.
    """
    origin, path = _parts(endpoint)
    own = (endpoint, f"{origin}{path}", f"{origin}{path}/")
    at, known = _parts(url)
    mark = f"{_KNOWN}{RESOURCE}"
    below = known.removeprefix(mark)
    if at != origin or not known.startswith(mark) or not f"{path}/".startswith(f"{below}/"):
        return own
    return (*own, f"{origin}{below}", f"{origin}{below}/")


def near(url: str) -> list[str]:
    """Issuers to whom an endpoint of theirs may belong: its path without the last part, then its origin."""
    origin, path = _parts(url)
    return list(dict.fromkeys([f"{origin}{path.rpartition('/')[0]}", origin]))


def _parts(url: str) -> tuple[str, str]:
    """Origin, and path without a slash at its end or a query; both in the one spelling of the policy."""
    target = policy.check_url(url)
    return target.origin, target.path.partition("?")[0].rstrip("/")
