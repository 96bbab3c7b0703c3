"""The two grants: codes with PKCE, and refresh tokens that rotate and notice when one is used again."""

import time
import uuid
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from demo.provider.incoming import Incoming
from demo.provider.records import Approval, Client, Code, RefreshToken, digest
from demo.provider.settings import AUTH_METHODS


@dataclass(frozen=True)
class Agreement:
    """Who agreed, and to which scopes: what Authlib calls the user."""

    account: str
    scopes: frozenset[str]


def check_resource(request: Incoming, approval: Approval) -> None:
    """RFC 8707 section 2.2: a token is for the resource that was approved. Raises invalid_target."""
    asked = request.payload.data.get("resource")
    if asked is not None and asked != approval.resource:
        raise OAuth2Error("This resource was not approved.", error="invalid_target", status_code=400)


class S256(CodeChallenge):
    """Plain challenges are refused, and a missing one too where PKCE is required: of every kind of client."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: "CodeGrant", redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if self.required and not asked.get("code_challenge"):
            raise InvalidRequestError("This provider needs PKCE with S256.")
        if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The code_challenge_method must be S256.")
        super().validate_code_challenge(grant, redirect_uri)


class CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_authorization_request(self) -> str:
        redirect_uri = super().validate_authorization_request()
        if self.server.settings.pkce == "unsupported" and "code_challenge" in self.request.payload.data:
            raise InvalidRequestError("The parameter code_challenge is not known.", redirect_uri=redirect_uri)
        return redirect_uri

    def save_authorization_code(self, code: str, request: Incoming) -> None:
        asked = request.payload.data
        record = Code(
            self._approval(request),
            asked["redirect_uri"],
            asked.get("code_challenge"),
            asked.get("code_challenge_method"),
            time.time() + self.server.settings.code_seconds,
            nonce=asked.get("nonce", ""),
        )
        self.server.store.add_code(code, record)

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found: Code | None = self.server.store.codes.get(digest(code))
        if found is None or found.approval.client_id != client.client_id:
            return None
        if found.used:  # RFC 6749 section 4.1.2: whoever uses a code again ends what came of it
            self.server.store.revoke(found.approval)
        if found.used or found.expires_at < time.time():
            return None
        check_resource(self.request, found.approval)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        authorization_code.used = True
        self.server.store.save()

    def authenticate_user(self, authorization_code: Code) -> str:
        return authorization_code.approval.account

    def _approval(self, request: Incoming) -> Approval:
        """What was asked for, without what the person unticked."""
        agreement: Agreement = request.user
        scope = " ".join(s for s in request.scope.split() if s in agreement.scopes)
        resource = request.payload.data.get("resource", "")
        return Approval(str(uuid.uuid4()), request.client.client_id, agreement.account, scope, resource)


class RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    @property
    def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:  # noqa: N802 -- Authlib's name
        return self.server.settings.rotates

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        """RFC 9700 section 4.14.2: a used token shows that two hold it, so all that came of it ends."""
        found = self.server.store.refresh_token(refresh_token)
        if found is None or not found.check_client(self.request.client) or found.is_revoked() or found.is_expired():
            return None
        if found.is_reused(self.server.settings.grace_seconds):
            self.server.store.revoke(found.approval)
            return None
        check_resource(self.request, found.approval)
        return found

    def authenticate_user(self, refresh_token: RefreshToken) -> str:
        return refresh_token.approval.account

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        if self.server.settings.rotates and refresh_token.used_at is None:
            refresh_token.used_at = time.time()
        self.server.store.save()
