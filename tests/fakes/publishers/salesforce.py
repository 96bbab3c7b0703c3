"""Salesforce: no `expires_in`, a refresh token that stays, found out by a 401.

help.salesforce.com: "OAuth 2.0 Web Server Flow", "OAuth 2.0 Refresh Token Flow", "Revoke OAuth Tokens"
"""

from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.publishers.base import FORM, Approval, Asked, FakePublisher, Refused


class Salesforce(FakePublisher):
    slug = "salesforce"
    paths = {
        "authorization_url": "/services/oauth2/authorize",
        "token_url": "/services/oauth2/token",
        "revocation_url": "/services/oauth2/revoke",
        "userinfo_url": "/services/oauth2/userinfo",
    }
    access_seconds = None  # a session of the organization's choice, which nobody tells
    client_auth = ("post", "basic")

    def gives_refresh_token(self, approval: Approval) -> bool:
        return bool({"refresh_token", "offline_access"} & set(approval.scopes))

    def token_answer(self, approval: Approval, members: dict[str, Any], *, is_refresh: bool) -> Response:
        more = {"instance_url": self.origin, "id": f"{self.origin}/id/1/2", "issued_at": "1764000000000"}
        return JSONResponse(members | more | {"signature": "x", "scope": " ".join(approval.scopes)})

    def bad_client(self) -> Refused:
        return Refused("invalid_client", 400)

    def userinfo(self, claims: dict[str, Any]) -> Response:
        return JSONResponse({"sub": "1", "preferred_username": claims["username"]})

    def revocation(self, asked: Asked) -> Response:
        """A refresh token takes the access tokens with it; an unknown token is an error."""
        token = asked.body.get("token", "") if asked.kind == FORM else ""
        approval = self.approval_of(token)
        if approval is None:
            raise Refused("invalid_token")
        if token in self._refresh:
            approval.is_dead = True
        self.cancel(token)
        return Response("", 200)
