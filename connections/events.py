"""What can be logged about connections."""

from portal.audit.events import Event

CONNECTION_CREATED = Event("connection.created", "Connection created", "{who} connected {connection} to {host}")
CONNECTION_CHANGED = Event("connection.changed", "Connection changed", "{who} changed {connection}")
CONNECTION_DISABLED = Event("connection.disabled", "Connection disabled", "{who} disabled {connection}")
CONNECTION_ENABLED = Event("connection.enabled", "Connection enabled", "{who} enabled {connection}")
CONNECTION_DELETED = Event("connection.deleted", "Connection deleted", "{who} deleted {connection}")
CONNECTION_GIVEN = Event("connection.given", "Connection given", "{who} gave {connection} to {agent}")
CONNECTION_TAKEN_BACK = Event(
    "connection.taken_back", "Connection taken back", "{who} took {connection} back from {agent}"
)
CONNECTION_GIVEN_TO_ALL = Event(
    "connection.given_to_all", "Connection given to all", "{who} gave {connection} to all agents of {project}"
)
CONNECTION_TAKEN_FROM_ALL = Event(
    "connection.taken_from_all", "Connection taken from all", "{who} no longer gives {connection} to all agents"
)
SECRET_REPLACED = Event("connection.secret_replaced", "Secret replaced", "{who} replaced {names} of {connection}")
FORMER_VALUE_ENDED = Event(
    "connection.former_value_ended", "Former value ended", "{who} ended the former value of {connection}"
)
SECRETS_CLEARED = Event(
    "connection.secrets_cleared", "Secrets cleared", "{who} changed {connection}, which cleared its stored values"
)
CARD_CONFIRMED = Event("connection.card_confirmed", "Agent card confirmed", "{who} confirmed the card of {connection}")
CONNECTION_CHECKED = Event("connection.checked", "Connection tested", "{who} tested {connection}")
CONNECTION_WATCHED = Event(
    "connection.watched",
    "Probes scheduled",
    "{who} probes {connection} with its credential",
)
CONNECTION_FAILING = Event("connection.failing", "Probe failed", "A probe found {connection} failing")
CONNECTION_RECOVERED = Event("connection.recovered", "Probe succeeded", "A probe found {connection} no longer failing")
CARD_READ = Event("connection.card_read", "Agent card read", "{who} read the card of {connection} with its credential")
