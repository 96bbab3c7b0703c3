"""What can go wrong on the way out, in words that may be shown to a user.

No sentence holds an address, an error number, a body or a header's value (T24): a probe must not become a
port scanner, nor an error page a leak.
"""


class OutboundError(Exception):
    """`code` is a stable slug, `sentence` is fit for a user (cause and remedy).

    `sent` is False where it is certain that the other side processed nothing, so that asking again is safe.
    """

    code = "outbound"
    sentence = "The request could not be made."
    sent = True

    def __init__(self, sentence: str | None = None, *, sent: bool | None = None):
        self.sentence = sentence or type(self).sentence
        if sent is not None:
            self.sent = sent
        super().__init__(self.sentence)


class InvalidUrl(OutboundError):
    code = "invalid_url"
    sentence = "This is not a usable address. Write it like https://agent.example.com/a2a."
    sent = False


class AddressBlocked(OutboundError):
    code = "address_blocked"
    sentence = "This address is in a private network. Ask the owner of this portal to allow it."
    sent = False


class PortBlocked(AddressBlocked):
    code = "port_blocked"
    sentence = "This port is not allowed. Use port 443, or ask the owner of this portal to allow it."


class HttpsNeeded(AddressBlocked):
    code = "https_needed"
    sentence = "Plain http is only accepted in networks that the owner of this portal has allowed. Use https."


class HeaderRefused(OutboundError):
    code = "header_refused"
    sentence = "This is not a header name that can be sent. Use letters, digits and hyphens."
    sent = False


class NameNotFound(OutboundError):
    code = "name_not_found"
    sentence = "The host name can't be found. Check the spelling, and write the name in full."
    sent = False

    @classmethod
    def of(cls, host: str) -> "NameNotFound":
        return cls(f"The host name {host} can't be found. Check the spelling, and write the name in full.")


class NotReachable(OutboundError):
    """Closed and filtered ports look the same on purpose (T24)."""

    code = "not_reachable"
    sentence = "The server can't be reached. Check the address and the port, and that the server is running."
    sent = False


class TlsFailed(OutboundError):
    code = "tls_failed"
    sentence = (
        "A secure connection to the server can't be made. Its certificate must be valid, name this host and "
        "come from an authority that this portal trusts. The server's operator can correct that."
    )
    sent = False


class TimedOut(OutboundError):
    code = "timeout"
    sentence = "The server did not answer completely in time. Try again, or ask its operator."


class RedirectRefused(OutboundError):
    code = "redirect"
    sentence = (
        "The server redirects to another address. Redirects are not followed, because a credential would go "
        "with them. Enter the final address."
    )


class AnswerTooLarge(OutboundError):
    code = "answer_too_large"
    sentence = "The server's answer is larger than this portal accepts. Ask the server's operator."


class BadAnswer(OutboundError):
    code = "bad_answer"
    sentence = "The server's answer is not valid HTTP, or ended early. Check that the address is right."


class EncodingRefused(BadAnswer):
    code = "encoding_refused"
    sentence = "The server sent a compressed answer without being asked. Its operator can correct that."


class Disconnected(BadAnswer):
    """The connection ended before the first byte of the answer."""

    code = "disconnected"
    sentence = "The server closed the connection without an answer. Try again, or ask its operator."
