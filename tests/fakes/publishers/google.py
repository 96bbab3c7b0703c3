"""Google: a refresh token at the first consent alone, unless consent is prompted for; cancelling one ends all.

developers.google.com/identity/protocols/oauth2/web-server
"""

from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.publishers.base import FORM, Approval, Asked, FakePublisher, Refused


class Google(FakePublisher):
    slug = "google"
    paths = {
        "authorization_url": "/o/oauth2/v2/auth",
        "token_url": "/token",
        "revocation_url": "/revoke",
        "userinfo_url": "/v1/userinfo",
    }
    access_seconds = 3599
    client_auth = ("post", "basic")

    def gives_refresh_token(self, approval: Approval) -> bool:
        if approval.asked.get("access_type") != "offline":
            return False
        return "consent" in approval.asked.get("prompt", "") or self._all_of(approval) == [approval]

    def _all_of(self, approval: Approval) -> list[Approval]:
        living = [each for each in self.approvals if not each.is_dead]
        return [each for each in living if (each.account, each.app) == (approval.account, approval.app)]

    def userinfo(self, claims: dict[str, Any]) -> Response:
        return JSONResponse({"sub": "1", "email": claims["username"]})

    def revocation(self, asked: Asked) -> Response:
        if asked.received.method != "POST" or asked.kind != FORM:
            raise Refused("invalid_request")
        approval = self.approval_of(asked.body.get("token", ""))
        if approval is None:
            raise Refused("invalid_token")
        for each in self._all_of(approval):
            each.is_dead = True
        return JSONResponse({})
