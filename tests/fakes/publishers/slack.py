"""Slack, with user tokens that rotate: `ok` in every answer, the tokens one step down, refreshed at the top.

docs.slack.dev: "Installing with OAuth", "Using token rotation", `oauth.v2.access`, `auth.revoke`, `auth.test`.
"""

import re
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.publishers.base import Approval, Asked, FakePublisher, Refused


class Slack(FakePublisher):
    slug = "slack"
    paths = {
        "authorization_url": "/oauth/v2/authorize",
        "token_url": "/api/oauth.v2.access",
        "revocation_url": "/api/auth.revoke",
        "userinfo_url": "/api/auth.test",
    }
    access_seconds = 43_200
    client_auth = ("post", "basic")
    scope_parameter = "user_scope"
    scope_separator = re.compile(",")
    rotates = True

    def token_answer(self, approval: Approval, members: dict[str, Any], *, is_refresh: bool) -> Response:
        of_user = members | {"token_type": "user", "scope": ",".join(approval.scopes)}
        team = {"team": {"id": "T1", "name": "Contoso"}, "enterprise": None, "is_enterprise_install": False}
        if is_refresh:
            return JSONResponse({"ok": True, "app_id": "A1", **of_user, **team})
        return JSONResponse({"ok": True, "app_id": "A1", "authed_user": {"id": "U1", **of_user}, **team})

    def refusal(self, refused: Refused) -> Response:
        return JSONResponse({"ok": False, "error": refused.error})

    def bad_client(self) -> Refused:
        return Refused("bad_client_secret")

    def bad_code(self) -> Refused:
        return Refused("invalid_code")

    def bad_redirect(self) -> Refused:
        return Refused("bad_redirect_uri")

    def dead(self) -> Refused:
        return Refused("invalid_refresh_token")

    def userinfo(self, claims: dict[str, Any]) -> Response:
        return JSONResponse({"ok": True, "user": claims["username"], "user_id": "U1", "team": "Contoso"})

    def revocation(self, asked: Asked) -> Response:
        """The very token that is sent. No document says that its refresh token goes with it."""
        if asked.bearer in self._access and self._access[asked.bearer].ends <= self.now():
            raise Refused("token_expired")
        if self.approval_of(asked.bearer) is None:
            raise Refused("token_revoked" if asked.bearer in self._access else "invalid_auth")
        self.cancel(asked.bearer)
        return JSONResponse({"ok": True, "revoked": True})
