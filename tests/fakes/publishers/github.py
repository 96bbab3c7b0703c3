"""GitHub, as an OAuth app: form-encoded unless JSON is asked for, errors with 200, tokens without end.

docs.github.com: "Authorizing OAuth apps", "Troubleshooting OAuth app access token request errors", "REST API endpoints
for OAuth authorizations".
"""

import json
import re
from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from tests.fakes.publishers.base import FORM, Approval, Asked, FakePublisher, Refused


class GitHub(FakePublisher):
    slug = "github"
    paths = {
        "authorization_url": "/login/oauth/authorize",
        "token_url": "/login/oauth/access_token",
        "revocation_url": "/applications/{client_id}/token",
        "userinfo_url": "/user",
    }
    access_seconds = None
    bodies = (FORM, "application/json")
    scope_separator = re.compile("[ ,]")

    def _answered(self, asked: Asked) -> Response:
        answer = super()._answered(asked)
        if self._address_of(asked) == "token_url" and "application/json" not in asked.header("accept"):
            return Response(urlencode(json.loads(answer.body)), media_type=FORM)
        return answer

    def is_refresh(self, asked: Asked, name: str) -> bool:
        if asked.body.get("grant_type", "authorization_code") != "authorization_code":
            raise Refused("unsupported_grant_type")
        return False

    def gives_refresh_token(self, approval: Approval) -> bool:
        return False

    def token_answer(self, approval: Approval, members: dict[str, Any], *, is_refresh: bool) -> Response:
        return JSONResponse(members | {"token_type": "bearer", "scope": ",".join(approval.scopes)})

    def refusal(self, refused: Refused) -> Response:
        said = {"error": refused.error, "error_description": "Words.", "error_uri": "https://docs.github.com/"}
        return JSONResponse(said, 200)

    def bad_client(self) -> Refused:
        return Refused("incorrect_client_credentials")

    def bad_code(self) -> Refused:
        return Refused("bad_verification_code")

    def bad_redirect(self) -> Refused:
        return Refused("redirect_uri_mismatch")

    def userinfo(self, claims: dict[str, Any]) -> Response:
        return JSONResponse({"login": claims["username"], "id": 1})

    def revocation(self, asked: Asked) -> Response:
        """Documented are 204 and 422; what it does not know, GitHub hides behind 404."""
        client_id = asked.received.path.split("/")[2]
        app = self._apps.get(client_id)
        if app is None or asked.basic != (client_id, app.client_secret) or asked.received.method != "DELETE":
            return JSONResponse({"message": "Not Found"}, 404)
        if asked.kind != "application/json" or "access_token" not in asked.body:
            return JSONResponse({"message": "Validation Failed"}, 422)
        approval = self.approval_of(asked.body["access_token"])
        if approval is None or approval.app is not app:
            return JSONResponse({"message": "Not Found"}, 404)
        self.cancel(asked.body["access_token"])
        return Response(status_code=204)
