"""How the gateway tells an agent what a code of the troubleshooting catalogue means, for the docs and the search."""

from collections.abc import Iterable

from connections import identity_troubleshooting
from connections.gateway.calls import OUTBOUND
from connections.gateway.refusals import KINDS, NoCredential, Refused, RefusedByEndpoint
from connections.methods import methods
from portal.outbound import errors

# What only "Test connection" can tell; calls pass on what the endpoint itself says.
FOUND_BY_TESTS = {"endpoint_other_dialect"}
# The endpoint's own error passes to the agent as it is; only people get this one.
IN_ITS_OWN_WORDS = {"endpoint_error"}


def refusal_of(code: str) -> Refused | None:
    """How the gateway answers with it; None for the codes that stand on pages only."""
    wanted = {code for method in methods() for code in method.may_want}
    if code in wanted.union(method.refused(status) for method in methods() for status in (401, 403)):
        return RefusedByEndpoint(code)
    identities = {entry.code for entry in identity_troubleshooting.ENTRIES}
    if code in identities.union(*(method.may_lack for method in methods())):
        return NoCredential(code)
    return Refused(code) if _reaches_agents(code) else None


def _reaches_agents(code: str) -> bool:
    outbound = {OUTBOUND.get(error.code, error.code) for error in _all(errors.OutboundError)}
    endpoint = code.startswith("endpoint_") and code not in FOUND_BY_TESTS | IN_ITS_OWN_WORDS
    return code in KINDS or code in outbound or endpoint


def _all(kind: type) -> Iterable[type]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all(below)
