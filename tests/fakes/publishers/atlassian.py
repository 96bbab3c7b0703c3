"""Atlassian, OAuth 2.0 (3LO): `audience` and `prompt`, rotation with ten minutes of leeway, 403 on a dead token.

developer.atlassian.com: "OAuth 2.0 (3LO) apps", "Implementing the Refresh Token Flow"
"""

from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.publishers.base import FORM, Approval, FakePublisher, Refused


class Atlassian(FakePublisher):
    slug = "atlassian"
    paths = {"authorization_url": "/authorize", "token_url": "/oauth/token", "userinfo_url": "/me"}
    bodies = ("application/json", FORM)
    must_ask = {"audience": "api.atlassian.com", "prompt": "consent"}
    rotates = True
    grace = 600
    ends_on_reuse = True

    def gives_refresh_token(self, approval: Approval) -> bool:
        return "offline_access" in approval.scopes

    def refusal(self, refused: Refused) -> Response:
        return JSONResponse({"error": refused.error, "error_description": "Words."}, refused.status)

    def bad_client(self) -> Refused:
        # Not documented.
        return Refused("access_denied", 401)

    def dead(self) -> Refused:
        # Documented with invalid_grant; seen like this (raycast/extensions, issue 11836).
        return Refused("unauthorized_client", 403)

    def userinfo(self, claims: dict[str, Any]) -> Response:
        return JSONResponse({"account_id": "1", "email": claims["username"], "name": "Ben"})
