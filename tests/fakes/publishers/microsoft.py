"""Microsoft Entra, v2: a refresh token for `offline_access` alone, a new one each time, one resource for each token.

learn.microsoft.com: "OAuth 2.0 authorization code flow", "Refresh tokens in the Microsoft identity platform"
"""

from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.publishers.base import FOR_EVER, Approval, Asked, FakePublisher, Refused

OF_OPENID = {"openid", "profile", "email", "offline_access"}
GRAPH = "https://graph.microsoft.com"
NUMBERS = {"invalid_grant": 70008, "invalid_client": 7000215, "interaction_required": 50076, "invalid_scope": 28000}


class Microsoft(FakePublisher):
    slug = "microsoft"
    paths = {
        "authorization_url": "/{tenant}/oauth2/v2.0/authorize",
        "token_url": "/{tenant}/oauth2/v2.0/token",
        "userinfo_url": "/oidc/userinfo",
    }
    access_seconds = 3600
    client_auth = ("post", "basic")
    rotates = True
    grace = FOR_EVER  # the one before is not revoked

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self.wants_the_person = False

    def problem(self, query: dict[str, str]) -> str:
        self.wants_the_person = False
        return "AADSTS901002: resource is not supported" if "resource" in query else ""

    def gives_refresh_token(self, approval: Approval) -> bool:
        return "offline_access" in approval.scopes

    def is_refresh(self, asked: Asked, name: str) -> bool:
        if "resource" in asked.body:
            raise Refused("invalid_request")
        is_refresh = super().is_refresh(asked, name)
        if is_refresh and self.wants_the_person:
            raise Refused("interaction_required")
        return is_refresh

    def token_answer(self, approval: Approval, members: dict[str, Any], *, is_refresh: bool) -> Response:
        if len(_resources(approval)) > 1:
            raise Refused("invalid_scope")
        granted = " ".join(scope for scope in approval.scopes if scope != "offline_access")
        return JSONResponse(members | {"scope": granted, "ext_expires_in": self.access_seconds})

    def refusal(self, refused: Refused) -> Response:
        number = NUMBERS.get(refused.error, 900144)
        said = {"error": refused.error, "error_description": f"AADSTS{number}: Words.", "error_codes": [number]}
        return JSONResponse(said | {"trace_id": "0", "suberror": "basic_action"}, refused.status)

    def userinfo(self, claims: dict[str, Any]) -> Response:
        """Of Graph: a token for another resource is not let in."""
        resources = {_resource(scope) for scope in claims["scope"].split() if scope not in OF_OPENID} or {GRAPH}
        return JSONResponse({"sub": "x", "name": claims["username"]}) if resources == {GRAPH} else Response("", 401)


def _resources(approval: Approval) -> set[str]:
    return {_resource(scope) for scope in approval.scopes if scope not in OF_OPENID}


def _resource(scope: str) -> str:
    return scope.rpartition("/")[0] or GRAPH
