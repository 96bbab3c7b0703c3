"""Which account at the provider somebody connected, and whether it should be this person's.

Known from a verified id token, from the userinfo address, or from both, whose subjects must then be the same (OpenID
Connect Core, 5.3.2). Whether it must be the person's own is the connection's setting of today.
"""

from dataclasses import dataclass, field
from typing import Any

from consent import id_tokens, oauth2
from consent.matching import ENFORCE, OFF, VERIFIED_EMAIL
from consent.models import Grant
from consent.terms import Terms
from portal.users import User

REFUSED = "id_token_refused"
SWAPPED = "account_swapped"
DIFFERS = "account_differs"
UNPROVEN = "account_unproven"
CHANGED = "account_changed"


class AccountRefused(Exception):
    """`code` is an entry of the troubleshooting catalogue."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Account:
    """`shown` is its name for people; issuer and subject are what tells it from any other, "" where not known."""

    shown: str = ""
    issuer: str = ""
    subject: str = ""
    claims: dict[str, Any] = field(default_factory=dict, repr=False)


def learned(terms: Terms, tokens: oauth2.Tokens, verifier: str) -> Account:
    """Raises AccountRefused where what the provider says can't be true of this sign-in."""
    signed = _signed(terms, tokens, verifier)
    told = oauth2.userinfo(terms, tokens.access)
    if signed and told and told.get("sub") != signed["sub"]:
        raise AccountRefused(SWAPPED)
    subject = signed.get("sub") or _subject(told)
    issuer = terms.issuer or terms.userinfo_url
    shown = oauth2.name_in(told) or oauth2.name_in(signed)
    # What is signed counts more than what is not.
    return Account(shown, issuer if subject else "", subject, told | signed)


def _signed(terms: Terms, tokens: oauth2.Tokens, verifier: str) -> dict[str, Any]:
    """{} where no id token was asked for or given, or nobody can tell whether it is true."""
    if tokens.id_token is None or not id_tokens.is_asked_for(terms):
        return {}
    try:
        return id_tokens.verified(terms, tokens.id_token, id_tokens.nonce_of(verifier))
    except id_tokens.KeysUnknown:
        return {}
    except id_tokens.Untrue:
        raise AccountRefused(REFUSED) from None


def _subject(told: dict[str, Any]) -> str:
    """`sub`, or the `id` of providers from before OpenID Connect."""
    for name in ("sub", "id"):
        value = told.get(name)
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if 0 < len(text) <= id_tokens.LONGEST_SUBJECT and text.isprintable():
            return text
    return ""


def notes_on(account: Account, person: User, settings: dict[str, Any], former: Grant | None) -> list[str]:
    """What is to be said of it, as codes. Raises AccountRefused for the first where the connection enforces it."""
    rule, found = settings.get("account_match") or OFF, []
    if rule != OFF and (code := _judged(account, person, settings.get("account_claim") or VERIFIED_EMAIL)):
        found.append(code)
    if former is not None and _is_another(account, former):
        found.append(CHANGED)
    if found and rule == ENFORCE:
        raise AccountRefused(found[0])
    return found


def _judged(account: Account, person: User, claim: str) -> str:
    value = account.claims.get("email" if claim == VERIFIED_EMAIL else claim)
    if not isinstance(value, str) or not value.strip():
        return UNPROVEN
    if claim == VERIFIED_EMAIL and account.claims.get("email_verified") not in (True, "true"):
        return UNPROVEN
    return "" if value.strip().casefold() == person.email.strip().casefold() else DIFFERS


def _is_another(account: Account, former: Grant) -> bool:
    """Than the one that is connected; whoever disconnected it first may connect any."""
    if former.state == Grant.State.REVOKED or not former.account_subject or not account.subject:
        return False
    return (former.account_issuer, former.account_subject) != (account.issuer, account.subject)
