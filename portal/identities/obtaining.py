"""What a source of tokens returns, and how it says no."""

from dataclasses import dataclass
from datetime import datetime

from portal.vault import Secret


@dataclass(frozen=True)
class Obtained:
    value: Secret
    expires_at: datetime


class TokenUnavailable(Exception):
    """No token can be had now. `code` is an entry of the troubleshooting catalogue, `again_after` in seconds."""

    def __init__(self, code: str, again_after: float = 5.0) -> None:
        super().__init__(code)
        self.code, self.again_after = code, again_after

    def anew(self) -> "TokenUnavailable":
        """The same, without the frames and errors that hang on what was raised."""
        return TokenUnavailable(self.code, self.again_after)
