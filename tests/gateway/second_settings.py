"""For a second gateway that has a method which fails as no method should."""

from tests.settings import *  # noqa: F403
from tests.settings import AUTH_METHODS

AUTH_METHODS = [*AUTH_METHODS, "tests.gateway.methods.Breaks"]
