"""Everything that can go wrong with a connection, in words: what happened, why, what to do, who must act.

Codes are stable: the log keeps them as reasons, `ErrorInfo` carries them. The first rows are those of the A2A
authentication page, in its own meaning. No text holds a value, an address or the endpoint's own words (T09, T24).
"""

from dataclasses import dataclass
from enum import StrEnum


class Who(StrEnum):
    """Who must act, and how a sentence names them."""

    ADMINISTRATOR = "administrator"
    TENANT_ADMINISTRATOR = "tenant_administrator"
    USER = "user"
    ENDPOINT_OWNER = "endpoint_owner"
    PROVIDER = "provider"
    PORTAL_OWNER = "portal_owner"
    AGENT_OWNER = "agent_owner"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Who.ADMINISTRATOR: "An administrator of the project",
    Who.TENANT_ADMINISTRATOR: "An administrator of the Microsoft Entra tenant",
    Who.USER: "The user",
    Who.ENDPOINT_OWNER: "The endpoint's owner",
    Who.PROVIDER: "The sign-in provider",
    Who.PORTAL_OWNER: "The owner of this portal",
    Who.AGENT_OWNER: "The agent's owner",
}


@dataclass(frozen=True)
class Entry:
    """One row of the troubleshooting table. `title` says what happened, `resolution` what `who` should do."""

    code: str
    title: str
    cause: str
    resolution: str
    who: Who


def entry(code: str) -> Entry:
    """The entry of a code; for one that is not in the catalogue, the entry `internal`."""
    return CATALOGUE.get(code) or CATALOGUE["internal"]


def of_status(status: int) -> str | None:
    """The code for an endpoint's HTTP status, None for one that is no failure."""
    if status < 300:
        return None
    if status < 400:
        return "endpoint_redirects"
    return _STATUSES.get(status) or ("endpoint_unavailable" if status >= 500 else "endpoint_refused_request")


_STATUSES = {
    400: "endpoint_bad_request",
    401: "endpoint_refused_401",
    403: "endpoint_refused_403",
    404: "endpoint_not_found",
    405: "endpoint_not_a2a",
    408: "endpoint_timeout",
    410: "endpoint_not_found",
    413: "endpoint_refuses_size",
    429: "endpoint_busy",
    501: "endpoint_not_a2a",
    504: "endpoint_timeout",
}


def rows(who: Who, *texts: tuple[str, str, str, str]) -> list[Entry]:
    """Entries of (code, title, cause, resolution) that one person must act on."""
    return [Entry(*text, who) for text in texts]


def add(entries: list[Entry]) -> None:
    """What another catalogue has to say; called in an AppConfig.ready. A code has one meaning."""
    for item in entries:
        if CATALOGUE.setdefault(item.code, item) is not item:
            raise ValueError(f"The code {item.code} is taken.")
        _ALL.append(item)


_PAGE = [
    Entry(
        "key_based_failed",
        "Key-based authentication fails",
        "Invalid or expired token, or the endpoint expects a different header name or value format.",
        "Regenerate or rotate the credential and update the connection. Confirm the required header name and value "
        "format in the endpoint documentation.",
        Who.ADMINISTRATOR,
    ),
    Entry(
        "entra_role_missing",
        "Microsoft Entra authentication fails",
        "The identity doesn't have the required role assignments on the underlying service.",
        "Assign the required roles to the agent identity or project managed identity on the underlying service, and "
        "then try again.",
        Who.ENDPOINT_OWNER,
    ),
    Entry(
        "user_without_access",
        "Consent completes but tool calls still fail",
        "The user doesn't have access in the underlying service.",
        "Confirm the user has access to the underlying service and has the Azure AI User role (or higher) on the "
        "project.",
        Who.ADMINISTRATOR,
    ),
    Entry(
        "consent_link_missing",
        "You don't get a consent link when you expect one",
        "OAuth identity passthrough isn't configured for the connection, or the agent didn't call the endpoint.",
        "Confirm the connection is configured for OAuth identity passthrough and let the agent call it again.",
        Who.ADMINISTRATOR,
    ),
]

_CREDENTIALS = rows(
    Who.ADMINISTRATOR,
    (
        "endpoint_refused_401",
        "The endpoint refused the credential",
        "The key or token is invalid or expired, the endpoint expects it under another header name or in another "
        "format, or the connection sends none and the endpoint wants one.",
        "Regenerate or rotate the credential and update the connection. Confirm the header name and value format in "
        "the endpoint's documentation.",
    ),
    (
        "endpoint_refused_403",
        "The endpoint knows the credential and does not permit the call",
        "The identity behind the credential lacks a role or permission on the underlying service.",
        "Assign the required role or permission on the underlying service, or store a credential that has it. Then "
        "try again.",
    ),
    (
        "endpoint_bad_request",
        "The endpoint could not read the request",
        "Most often the credential stands under a header name, or in a format, that the endpoint does not expect. It "
        "may also expect another version of A2A.",
        "Compare the credential name and the form of its value with the endpoint's documentation, and correct the "
        "connection.",
    ),
    (
        "secret_missing",
        "The connection has no stored credential",
        "None was entered, or it was cleared because the endpoint or another address of the connection changed.",
        "Open the connection and enter the credential value again.",
    ),
    (
        "former_value_used",
        "The endpoint accepts only the former value",
        "The credential value was replaced, and the endpoint still refuses the new one. Calls go on with the former "
        "value until the time that was chosen for it is over.",
        "Make the new value known at the endpoint, or replace it once more, before the former value ends.",
    ),
    (
        "secret_unreadable",
        "The stored credential can't be opened",
        "It was sealed for other addresses than the connection has now, or its row was changed in the database.",
        "Open the connection, check its addresses and enter the credential value again.",
    ),
    (
        "header_refused",
        "The credential can't be sent as a header",
        "Its name is no header name or belongs to HTTP itself, or its value has a character that can't be sent.",
        "Open the connection, correct the credential name and enter the value again.",
    ),
    (
        "credential_unavailable",
        "No credential could be made for the call",
        "The authentication method could not prepare what the endpoint needs.",
        "Open the connection and check the settings of its authentication method.",
    ),
    (
        "test_needs_agent",
        "This authentication method can't be tested without an agent",
        "Its credential belongs to an agent or a user, and a test is made by the portal itself.",
        "Give the connection to an agent and let the agent call it.",
    ),
    (
        "tested_too_often",
        "The connection was tested too often",
        "A connection can be tested 6 times a minute, so that the portal can't be used to search networks.",
        "Wait a minute, then test it again.",
    ),
    (
        "credential_not_proven",
        "The endpoint answers, but did not show whether it accepts the credential",
        "It answered the test's question for a task that does not exist with another error than expected. Some "
        "endpoints keep no tasks.",
        "Let an agent call the connection: its first call shows whether the credential is accepted.",
    ),
)

_RING = rows(
    Who.PORTAL_OWNER,
    (
        "key_unavailable",
        "The stored credential can't be opened: its key is missing",
        "This portal's key ring does not hold the key that the credential was sealed with.",
        "Add the missing key to GATEHOUSE_KEYS and restart the portal.",
    ),
    (
        "address_blocked",
        "The address is in a private network",
        "This portal does not call private, internal or cloud-internal addresses unless its owner has allowed them.",
        "Use an address that can be reached publicly, or ask the owner of this portal to allow the network.",
    ),
    (
        "port_blocked",
        "The port is not allowed",
        "Outside of the networks that the owner of this portal has allowed, only port 443 is called.",
        "Use port 443, or ask the owner of this portal to allow the port.",
    ),
    (
        "https_needed",
        "The address is not https",
        "Plain http is only accepted in networks that the owner of this portal has allowed, because a credential "
        "could be read on the way.",
        "Use the https address of the endpoint.",
    ),
    (
        "method_not_installed",
        "The connection's authentication method is not installed",
        "The connection was saved with a method that this portal no longer lists.",
        "Add the method to AUTH_METHODS again, or choose another method on the connection.",
    ),
    (
        "log_unavailable",
        "The call was not made because it could not be logged",
        "The access log can't be written at the moment, and no call is made without a row in it.",
        "Try again. If it goes on, the owner of this portal should check the database.",
    ),
    (
        "internal",
        "Something went wrong in this portal",
        "The portal met a condition that it was not made for. The log of the server holds it under the request id.",
        "Try again. If it happens again, tell the owner of this portal the request id.",
    ),
)

_ADDRESS = rows(
    Who.ADMINISTRATOR,
    (
        "invalid_url",
        "The address can't be used",
        "It is not an address like https://agent.example.com/a2a.",
        "Correct the address of the connection.",
    ),
    (
        "name_not_found",
        "The host name can't be found",
        "It is misspelled, incomplete, or known only inside a network that this portal is not in.",
        "Check the spelling, and write the name in full.",
    ),
    (
        "not_reachable",
        "The server can't be reached",
        "The address or port is wrong, the server is not running, or a firewall is in between.",
        "Check the address and the port, and ask the endpoint's owner whether the server is running.",
    ),
    (
        "redirect",
        "The server redirects to another address",
        "Redirects are not followed, because a credential would go with them.",
        "Enter the final address in the connection.",
    ),
    (
        "endpoint_redirects",
        "The endpoint redirects to another address",
        "Redirects are not followed, because the credential would go with them.",
        "Enter the final address in the connection.",
    ),
    (
        "endpoint_not_found",
        "The endpoint has nothing at this address",
        "The path of the endpoint is wrong, or the endpoint has moved.",
        "Check the path of the A2A Agent Endpoint in the endpoint's documentation.",
    ),
    (
        "endpoint_not_a2a",
        "What answers at this address does not speak A2A",
        "The address belongs to a website or another kind of service, or the path is wrong.",
        "Check the A2A Agent Endpoint in the endpoint's documentation.",
    ),
    (
        "endpoint_other_dialect",
        "The endpoint does not speak the version of A2A that the connection uses",
        "The agent card, or the choice on the connection, names another version or binding than the endpoint has.",
        "Read the agent card again, or choose another protocol version or binding on the connection.",
    ),
    (
        "outbound",
        "The request could not be made",
        "The portal could not send it.",
        "Check the address of the connection and try again.",
    ),
)

_ENDPOINT = rows(
    Who.ENDPOINT_OWNER,
    (
        "tls_failed",
        "A secure connection to the server can't be made",
        "Its certificate is expired, names another host, or comes from an authority that this portal does not trust.",
        "Install a valid certificate on the server, complete with its intermediate certificates.",
    ),
    (
        "timeout",
        "The server did not answer in time",
        "It is overloaded, very slow, or stopped in the middle of its answer.",
        "Try again later. If it goes on, check the server.",
    ),
    (
        "answer_too_large",
        "The server's answer is larger than this portal accepts",
        "The answer is over the limit, or what answers is not an A2A endpoint.",
        "Check the address. If it is right, make the answer smaller.",
    ),
    (
        "bad_answer",
        "The server's answer is not valid HTTP",
        "The answer ended early or is malformed, or what answers at this port is not a web server.",
        "Check the address and port. If they are right, correct the server.",
    ),
    (
        "encoding_refused",
        "The server sent a compressed answer without being asked",
        "The portal asks for uncompressed answers, so that none can grow without limit.",
        "Let the server honor Accept-Encoding: identity.",
    ),
    (
        "disconnected",
        "The server closed the connection without an answer",
        "It stopped, restarted, or refused the connection.",
        "Try again. If it goes on, check the server.",
    ),
    (
        "endpoint_unavailable",
        "The endpoint is not available",
        "It can't be reached or answered with a server error.",
        "Try again later. If it goes on, check the endpoint.",
    ),
    (
        "endpoint_timeout",
        "The endpoint did not answer in time",
        "It is overloaded or slow, or the work takes longer than this portal waits.",
        "Try again. For long work, answer with a task early or use streaming.",
    ),
    (
        "endpoint_answer_too_large",
        "The endpoint's answer is larger than this portal passes on",
        "The answer is over the limit of one call.",
        "Ask for less, or deliver the result in smaller parts.",
    ),
    (
        "endpoint_broke_off",
        "The endpoint broke off its answer",
        "The connection to it ended before the answer was complete.",
        "Read the task to see how far it came, or send the message again.",
    ),
    (
        "endpoint_id_unusable",
        "The endpoint's answer names a task with an unusable id",
        "This portal remembers whose a task is by its id, which may have 256 characters and no NUL among them.",
        "Let the endpoint give shorter, printable ids to its tasks and contexts.",
    ),
    (
        "endpoint_error",
        "The endpoint answered with an error of A2A",
        "It took the call and the credential, and could not do what was asked. Its own words were passed to the agent.",
        "Look at what the agent got, or at the endpoint's log for this time.",
    ),
    (
        "endpoint_busy",
        "The endpoint has had too many requests",
        "It limits how many calls it takes in a time.",
        "Wait and try again. If it goes on, raise the limit at the endpoint or lower the one of the connection.",
    ),
    (
        "endpoint_refuses_size",
        "The endpoint does not take a message of this size",
        "The message is over the endpoint's own limit.",
        "Send a smaller message, or raise the limit at the endpoint.",
    ),
    (
        "endpoint_refused_request",
        "The endpoint refused the request",
        "It answered with an error of its own that says neither that the credential is wrong nor that it lacks rights.",
        "Check the endpoint's log for this time.",
    ),
)

_CARDS = [
    *rows(
        Who.ADMINISTRATOR,
        (
            "card_none_there",
            "There is no agent card",
            "Neither the agent card path nor the default path has one.",
            "Check the endpoint and the agent card path. You can connect without a card.",
        ),
        (
            "card_needs_sign_in",
            "The agent card needs sign-in",
            "The endpoint does not show its card without credentials, or does not accept the ones that were sent.",
            "Send credentials for the agent card (https and the same host only), or connect without a card.",
        ),
        (
            "card_not_json",
            "What was found is not an agent card: it is not JSON",
            "The address answers with a web page or another document.",
            "Check the endpoint and the agent card path. You can connect without a card.",
        ),
        (
            "card_not_a_card",
            "What was found is JSON, but not an agent card",
            "It has no name, or none of the parts that make an agent card.",
            "Check the agent card path. You can connect without a card.",
        ),
        (
            "card_foreign",
            "The agent card names only addresses of other hosts",
            "A credential goes only to the origin of the endpoint: the same scheme, host and port.",
            "Enter the address that the card names as the endpoint, or choose the binding on the connection yourself.",
        ),
        (
            "card_not_carried",
            "The agent card names no binding that this portal carries",
            "The portal carries JSON-RPC and HTTP+JSON in A2A 1.0 and 0.3.",
            "Ask the endpoint's owner for one of these bindings.",
        ),
        (
            "card_without_interface",
            "The agent card names no address for calls",
            "The card has neither supportedInterfaces nor a url.",
            "Choose the binding on the connection yourself; calls then go to the endpoint.",
        ),
    ),
    *rows(
        Who.ENDPOINT_OWNER,
        (
            "card_ambiguous",
            "The agent card can't be read in one way only",
            "It has duplicate members, numbers that JSON does not know, or is nested too deeply.",
            "Correct the card. You can connect without it.",
        ),
        (
            "card_too_large",
            "The agent card is too large",
            "A card may have 256 KB.",
            "Make the card smaller. You can connect without it.",
        ),
        (
            "card_failed",
            "The server could not deliver its agent card",
            "It answered with an error of its own.",
            "Try again later. You can connect without a card.",
        ),
    ),
]

_CALLER = rows(
    Who.AGENT_OWNER,
    (
        "agent_key_missing",
        "The agent key is missing",
        "The request has no header Authorization with an agent key.",
        "Send the header Authorization with Bearer and the agent key.",
    ),
    (
        "agent_key_malformed",
        "The agent key is malformed",
        "An agent key begins with ghk_ and is sent once, after Bearer, without quotes or line breaks.",
        "Copy the whole key again, or make a new one on the agent's page.",
    ),
    (
        "agent_key_unknown",
        "The agent key is not known",
        "It was mistyped, its agent was deleted, or it belongs to another portal.",
        "Copy the whole key again, or make a new one on the agent's page.",
    ),
    (
        "agent_key_revoked",
        "The agent key was revoked",
        "A person who may manage the agent has revoked this key.",
        "Make a new key on the agent's page.",
    ),
    (
        "agent_key_expired",
        "The agent key has expired",
        "The key had an end date, which has passed.",
        "Make a new key on the agent's page.",
    ),
    (
        "user_missing",
        "The request names no user",
        "This connection acts for each person, so the agent must say for whom it calls.",
        "Send the header x-ms-user-identity with the user's e-mail address or id.",
    ),
    (
        "not_json",
        "The request is not JSON",
        "Its body can't be parsed as JSON.",
        "Send a JSON object as the A2A specification says.",
    ),
    (
        "not_a_request",
        "The request is not a JSON-RPC request",
        "It lacks the version 2.0, a method name or an id of a permitted type, or its params are not an object.",
        "Send a JSON-RPC 2.0 request object as the A2A specification says.",
    ),
    (
        "duplicate_member",
        "The request has a member twice",
        "Two readers could understand the request differently, so it is not passed on.",
        "Send every member once.",
    ),
    (
        "duplicate_header",
        "The request has a header twice",
        "Two readers could understand the request differently, so it is not passed on.",
        "Send the headers Authorization, x-ms-user-identity and A2A-Version once each.",
    ),
    (
        "header_malformed",
        "A header of the request can't be passed on",
        "Its value has letters outside ASCII, which endpoints read differently.",
        "Send Accept, Content-Type, A2A-Extensions, traceparent and tracestate in ASCII.",
    ),
    (
        "id_unusable",
        "The request names a task or context with an unusable id",
        "An id may have 256 characters, and no NUL or half of a surrogate pair among them.",
        "Send the id as the endpoint gave it.",
    ),
    (
        "batch",
        "A batch of requests is not accepted",
        "A2A has no JSON-RPC batches.",
        "Send one request at a time.",
    ),
    (
        "not_utf8",
        "The request is not UTF-8",
        "JSON is exchanged as UTF-8 (RFC 8259), and the request has or declares another charset.",
        "Send the request as UTF-8.",
    ),
    (
        "unknown_method",
        "The method is not known",
        "A2A 1.0 and 0.3 have no method of this name.",
        "Check the method name and the A2A-Version header.",
    ),
    (
        "unknown_path",
        "The path is not known",
        "A2A 1.0 and 0.3 have no such path below a connection, or not with this HTTP method.",
        "Check the path against the agent card and the A2A specification.",
    ),
    (
        "version_not_offered",
        "The version of A2A is not offered",
        "This connection does not offer the version that the request names.",
        "Use a version that the agent card of the connection names.",
    ),
    (
        "undeclared_tenant",
        "The tenant is not declared",
        "The request names a tenant that the agent card does not declare.",
        "Leave the tenant out, or use the one that the agent card of the connection names.",
    ),
    (
        "too_large",
        "The request is too large",
        "The body is over this portal's limit.",
        "Send a smaller message, or a link in place of a large file.",
    ),
    (
        "binding_not_offered",
        "The connection does not offer this binding",
        "The endpoint has no such binding in this version of A2A.",
        "Use a binding that the agent card of the connection names.",
    ),
    (
        "task_not_found",
        "There is no such task",
        "The task does not exist, or it was not begun by this agent for this user.",
        "Check the task id, and name the user for whom the task was begun.",
    ),
    (
        "task_not_cancelable",
        "The task can't be canceled",
        "It only waits for the user's consent; no work has begun at the endpoint.",
        "Leave it. It ends by itself when its consent link expires.",
    ),
    (
        "client_left",
        "The agent hung up before the answer was complete",
        "It closed the connection, or something between it and this portal did. The endpoint was hung up on as well.",
        "Nothing, if the agent meant it. Otherwise raise its timeout, or read the task to see how far it came.",
    ),
    (
        "client_stalled",
        "The agent stopped reading the answer",
        "It kept the connection open, but took nothing more of the answer until the call's time was up.",
        "Read the answer as it comes, or close the connection.",
    ),
    (
        "limit_rate",
        "Too many calls in a minute",
        "The agent has reached the limit of calls a minute through this connection.",
        "Wait and try again. An administrator can raise the limit on the connection.",
    ),
    (
        "limit_concurrency",
        "Too many calls at once",
        "The agent has reached the limit of open calls through this connection.",
        "Wait until a call has ended. An administrator can raise the limit on the connection.",
    ),
    (
        "push_not_supported",
        "Push notifications are not supported",
        "This portal does not pass callbacks of endpoints on.",
        "Use streaming, subscribe to the task, or read the task from time to time.",
    ),
)

_ACCESS = [
    *rows(
        Who.ADMINISTRATOR,
        (
            "agent_disabled",
            "The agent is disabled",
            "An administrator has disabled it.",
            "Enable the agent on its page if it should work again.",
        ),
        (
            "connection_unknown",
            "There is no such connection for this agent",
            "No connection of this name exists in the agent's project, or it was not given to the agent.",
            'Check the address. To give the connection to the agent, choose "Use in an agent" on its page.',
        ),
        (
            "connection_disabled",
            "The connection is disabled",
            "An administrator has disabled it.",
            "Enable the connection on its page if it should work again.",
        ),
        (
            "credential_withdrawn",
            "The permission behind this call was taken back",
            "While the answer was coming, the user or an administrator withdrew what the call was made with.",
            "Send the message again; where the user has to consent first, the answer has the link.",
        ),
        (
            "may_not_speak",
            "The agent may not speak for users",
            "The request names a user, and no owner has allowed this agent to say for whom it calls.",
            "An owner can allow it on the agent's page. Otherwise send the request without x-ms-user-identity.",
        ),
        (
            "user_unknown",
            "The user can't use this connection",
            "There is no such person here, the agent may not speak for them, or they lack the Azure AI User role on "
            "the project.",
            "Check the x-ms-user-identity header. An administrator can give the person the Azure AI User role.",
        ),
    ),
    *rows(
        Who.USER,
        (
            "consent_required",
            "The user must consent first",
            "The connection acts with the user's own account, and the user has not allowed it yet.",
            "Open the consent link, sign in and allow it. Then send the message again.",
        ),
    ),
]

_ALL = [*_PAGE, *_CREDENTIALS, *_RING, *_ADDRESS, *_ENDPOINT, *_CARDS, *_CALLER, *_ACCESS]
CATALOGUE: dict[str, Entry] = {item.code: item for item in _ALL}
