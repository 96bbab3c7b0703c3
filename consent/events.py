"""What can be logged about consent."""

from portal.audit.events import Event

ASKED = Event("consent.asked", "Consent asked", "{agent} was told that {on_behalf_of} must consent to {connection}")
GIVEN = Event("consent.given", "Consent given", "{who} let {agent} use their account through {connection}")
DECLINED = Event("consent.declined", "Consent declined", "{who} declined what {agent} asked through {connection}")
NOT_ASKED = Event("consent.not_asked", "Not asked for", "{who} did not ask for what {agent} wanted, and blocked it")
UNBLOCKED = Event("consent.unblocked", "Agent unblocked", "{who} unblocked {agent}")
WRONG_PERSON = Event(
    "consent.wrong_person", "Foreign consent link", "{who} opened a consent link made for another person"
)
LINK_REFUSED = Event("consent.link_refused", "Consent refused", "What {who} answered for {connection} was refused")
CALLBACK_REFUSED = Event(
    "consent.callback_refused", "Sign-in refused", "A provider's answer for {connection} was refused"
)
PROVIDER_REFUSED = Event(
    "consent.provider_refused", "Provider refused", "The provider of {connection} did not let {who} in"
)
REFRESHED = Event("grant.refreshed", "Tokens refreshed", "The tokens of {on_behalf_of} for {connection} were refreshed")
REFRESH_FAILED = Event(
    "grant.refresh_failed", "Refresh failed", "Refreshing the tokens of {on_behalf_of} for {connection} failed"
)
REFRESH_DISCARDED = Event(
    "grant.refresh_discarded", "Late refresh discarded", "A refresh of {connection} came too late and was discarded"
)
ENDED = Event("grant.ended", "Consent ended", "The consent of {on_behalf_of} for {connection} ended")
REVOKED = Event("grant.revoked", "Disconnected", "{who} disconnected {agent} from {connection}")
REGISTERED = Event(
    "connection.registered", "Portal registered", "{who} registered this portal for {connection} at {host}"
)
CANCELLED = Event(
    "grant.cancelled",
    "Cancelled there",
    "The provider of {connection} confirmed that the access of {agent} to the account of {on_behalf_of} is cancelled",
)
NOT_CANCELLED = Event(
    "grant.not_cancelled",
    "Not confirmed there",
    "The provider of {connection} is no longer told to cancel the access of {agent} to the account of {on_behalf_of}",
)
EXPORTED = Event("consent.exported", "Consents exported", "{who} exported what {on_behalf_of} had allowed")
ERASED = Event("consent.erased", "Consents erased", "{who} erased what {on_behalf_of} had allowed")
RESTORED = Event(
    "consent.restored", "Restored from a backup", "After a restore {consents} consents are tried once each"
)
CLIENT_KEYS_MADE = Event(
    "client_key.made", "Client keys made", "Keys were made with which {connection} signs who it is at its provider"
)
CLIENT_KEY_ROLLED = Event(
    "client_key.rolled", "Client key rolled over", "{who} rolled over the client key of {connection}"
)
CLIENT_KEYS_ENDED = Event(
    "client_key.ended", "Client keys ended", "{who} changed {connection}, and its client keys do not fit any more"
)
ACCOUNT_NOTED = Event(
    "consent.account_noted", "Account noted", "The account that {who} connected to {connection} is not the one expected"
)
FORMER_SECRET = Event(
    "grant.former_secret",
    "Former client secret",
    "The provider of {connection} refused the new client secret and took the former one",
)
APP_LISTED = Event(
    "publisher_app.listed", "Publisher's app listed", "{who} registered this portal's app of {publisher}"
)
APP_CHANGED = Event(
    "publisher_app.changed", "Publisher's app changed", "{who} changed this portal's app of {publisher}"
)
APP_SECRET_REPLACED = Event(
    "publisher_app.secret_replaced", "Secret replaced", "{who} replaced the secret of this portal's app of {publisher}"
)
APP_REMOVED = Event(
    "publisher_app.removed", "Publisher's app removed", "{who} removed this portal's app of {publisher}"
)
