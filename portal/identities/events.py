"""What is logged about identities."""

from portal.audit.events import Event

SOURCE_CHOSEN = Event("identity.source_chosen", "Identity source chosen", "{who} chose where identities come from")
BLUEPRINT_SET = Event("identity.blueprint_set", "Blueprint set", "{who} set the agent identity blueprint")
IDENTITY_SET_UP = Event("identity.set_up", "Identity set up", "{who} entered the ids of {identity}")
IDENTITY_ALLOTTED = Event("identity.allotted", "Identity allotted", "{who} allotted {identity} to the project")
IDENTITY_TAKEN_BACK = Event("identity.taken_back", "Identity taken back", "{who} took {identity} back from the project")
IDENTITY_DISABLED = Event("identity.disabled", "Identity disabled", "{who} disabled {identity}")
IDENTITY_ENABLED = Event("identity.enabled", "Identity enabled", "{who} enabled {identity}")
IDENTITY_CHECKED = Event("identity.checked", "Identity checked", "{who} asked for a token of {identity}")

AUDIENCE_LISTED = Event("audience.listed", "Audience listed", "{who} listed the audience {audience}")
AUDIENCE_CHANGED = Event("audience.changed", "Audience changed", "{who} changed the audience {audience}")
AUDIENCE_REMOVED = Event("audience.removed", "Audience removed", "{who} removed the audience {audience}")

SIGNING_KEY_ROTATED = Event("signing_key.rotated", "Signing key rotated", "{who} rotated the issuer's signing key")
