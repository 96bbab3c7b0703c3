"""Key-based: one or more stored header values, the same for everyone who uses the connection."""

from connections import secrets
from connections.methods.base import AuthMethod, Caller, Credential, Goal, Prepared, SecretField

# Headers that belong to HTTP itself or to the gateway: a credential under these names would break the message
# or be dropped on the way (RFC 9110 7.6.1, 6.1; RFC 9112 6).
RESERVED = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    "upgrade host content-length content-type content-encoding accept accept-encoding expect cookie set-cookie "
    "a2a-version a2a-extensions x-a2a-extensions x-ms-user-identity forwarded date".split()
)
TOKEN_LETTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

TWICE = "Another credential has this name already. Upper and lower case count as the same."


def name_problem(name: str) -> str | None:
    """What is wrong with a credential name, in a sentence; None when it can be a header (RFC 9110 5.1)."""
    if not name or not set(name) <= TOKEN_LETTERS:
        return "This is not a header name. Use letters, digits and hyphens, such as x-api-key."
    lowered = name.casefold()
    if lowered in RESERVED or lowered.startswith(("x-forwarded-", "sec-", "proxy-")):
        return f"{name} belongs to HTTP itself and can't carry a credential."
    return None


def value_problem(value: str) -> str | None:
    """What is wrong with a credential value (never repeating it); None when it can be sent (RFC 9110 5.5)."""
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in value):
        return "The value has a line break or another control character. Paste it again, in one line."
    if not value.isascii():
        return "The value has letters outside ASCII, which a header can't carry."
    if value != value.strip():
        return "The value begins or ends with a space. Paste it again without it."
    return None


class KeyBased(AuthMethod):
    slug = "key-based"
    label = "Key-based"
    description = "Provide an API key or access token to authenticate with the A2A endpoint."
    foundry_auth_type = "CustomKeys"
    goals = (Goal("Use one shared identity for all users", 1),)
    secret_fields = (
        SecretField("credential", "Credential", "The header that the endpoint reads.", named=True, repeats=4),
    )
    guidance_template = "connections/methods/key_based.html"
    keeps_former = True

    def check_secrets(self, entered) -> dict[tuple[str, int, str], str]:
        problems, seen = {}, set()
        for one in entered:
            name = one.name.casefold()
            wrong_name = name_problem(one.name) or (TWICE if name in seen else None)
            wrong_value = value_problem(one.value)
            seen.add(name)
            if wrong_name:
                problems[one.field, one.position, "name"] = wrong_name
            if wrong_value:
                problems[one.field, one.position, "value"] = wrong_value
        return problems

    def prepared(self, connection, caller: Caller) -> Prepared:
        openers = secrets.openers(connection, "credential", self.addresses(connection, "credential"))
        described = ", ".join(name for name, _ in openers)
        return lambda: Credential(tuple((name, opened()) for name, opened in openers), described=described)

    def credential(self, connection, caller: Caller) -> Credential:
        return self.prepared(connection, caller)()

    def renew(self, connection, caller: Caller, refused: Credential) -> Credential | None:
        """The former value while it is kept: an endpoint may learn of a new key later than the portal does."""
        pairs = secrets.formerly(connection, "credential", self.addresses(connection, "credential"))
        if pairs is None:
            return None
        return Credential(tuple(pairs), described=f"{', '.join(name for name, _ in pairs)}, the former value")

    def acts_as(self, connection, agent) -> str:
        return "Everyone, one shared key"
