"""The endpoints that programs call: token, revocation, introspection, registration, userinfo, metadata."""

import json
from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.bearer import read
from demo.provider import incoming
from demo.provider.endpoints import is_local_program
from demo.provider.incoming import Incoming, Parameters
from demo.provider.protocol import Protocol
from demo.provider.settings import Addresses, metadata

Verify = Callable[[str], dict[str, Any] | None]


class Machine:
    """`verify(token)` gives the claims of a living access token, or None."""

    def __init__(self, protocol: Protocol, at: Addresses, verify: Verify) -> None:
        self._protocol = protocol
        self._at = at
        self._verify = verify

    def routes(self) -> list[Route]:
        return [
            Route("/token", self._token, methods=["POST"]),
            Route("/revoke", self._revoke, methods=["POST"]),
            Route("/introspect", self._introspect, methods=["POST"]),
            Route("/register", self._register, methods=["POST"]),
            Route("/jwks.json", self._jwks),
            Route("/userinfo", self._userinfo, methods=["GET", "POST"]),
        ]

    async def metadata(self, _: Request) -> Response:
        return JSONResponse(metadata(self._at, self._protocol.settings))

    async def _token(self, request: Request) -> Response:
        return await self._posted(request, self._at.token, self._protocol.create_token_response)

    async def _revoke(self, request: Request) -> Response:
        return await self._posted(request, self._at.revoke, self._endpoint("revocation"))

    async def _introspect(self, request: Request) -> Response:
        return await self._posted(request, self._at.introspect, self._endpoint("introspection"))

    async def _register(self, request: Request) -> Response:
        if not is_local_program(request):
            refused = {"error": "access_denied", "error_description": "Only programs of this machine register here."}
            return JSONResponse(refused, 403)
        try:
            wanted = json.loads(await request.body())
            if not isinstance(wanted, dict):
                raise ValueError("no object")
        except ValueError:
            return JSONResponse({"error": "invalid_client_metadata"}, 400)
        asked = Incoming("POST", self._at.register, {}, Parameters(list(wanted.items())))
        return self._endpoint("client_registration")(asked)

    async def _userinfo(self, request: Request) -> Response:
        """The account behind the token, in the names of OpenID Connect Core section 5.1."""
        claims = read(request.headers, self._verify, realm="octo")
        if isinstance(claims, Response):
            return claims
        account = claims["sub"]
        return JSONResponse(self._protocol.id_tokens.claims_of(account))

    async def _jwks(self, _: Request) -> Response:
        return JSONResponse(self._protocol.id_tokens.jwks())

    def _endpoint(self, name: str) -> Callable[[Incoming], Response]:
        return lambda asked: self._protocol.create_endpoint_response(name, asked)

    async def _posted(self, request: Request, uri: str, answer: Callable[[Incoming], Response]) -> Response:
        try:
            return answer(await incoming.posted(request, uri))
        except OAuth2Error as error:
            return self._protocol.handle_error_response(request, error)
        except ValueError:  # as in `browser`
            refusal = InvalidRequestError("The request has characters that do not belong there.")
            return self._protocol.handle_error_response(request, refusal)
