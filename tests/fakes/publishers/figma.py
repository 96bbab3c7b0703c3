"""Figma: refreshed at an address of its own, which gives no new refresh token; errors without a code.

No document says how it refuses a refresh token that is dead: here as it refuses everything, with 400.

developers.figma.com/docs/rest-api/oauth-apps
"""

import re
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.publishers.base import Approval, Asked, FakePublisher, Refused


class Figma(FakePublisher):
    slug = "figma"
    paths = {
        "authorization_url": "/oauth",
        "token_url": "/v1/oauth/token",
        "refresh_url": "/v1/oauth/refresh",
        "userinfo_url": "/v1/me",
    }
    access_seconds = 7_776_000
    client_auth = ("basic",)
    scope_separator = re.compile("[ ,]")

    def is_refresh(self, asked: Asked, name: str) -> bool:
        """By the address; the other grant is not known there."""
        if ("refresh_token" in asked.body) != (name == "refresh_url"):
            raise Refused("This is not the place for it")
        return name == "refresh_url"

    def token_answer(self, approval: Approval, members: dict[str, Any], *, is_refresh: bool) -> Response:
        more = {} if is_refresh else {"user_id_string": "1", "user_id": 1}
        return JSONResponse(members | more | {"token_type": "bearer"})

    def refusal(self, refused: Refused) -> Response:
        return JSONResponse({"error": True, "status": refused.status, "message": refused.error}, refused.status)

    def userinfo(self, claims: dict[str, Any]) -> Response:
        return JSONResponse({"id": "1", "handle": claims["username"], "email": f"{claims['username']}@example.com"})
