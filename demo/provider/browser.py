"""What a person meets: choose an account, approve or deny, and later take an approval back."""

import secrets
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.provider import incoming
from demo.provider.grants import Agreement
from demo.provider.incoming import Incoming
from demo.provider.pages import FOLDER, Pages
from demo.provider.protocol import Protocol
from demo.provider.settings import Addresses

COOKIE = "octo_session"


class Browser:
    """Keeps who is signed in, in memory: a browser signs in again after a restart."""

    def __init__(self, protocol: Protocol, at: Addresses) -> None:
        self._protocol = protocol
        self._at = at
        self._pages = Pages(at.path, protocol.settings)
        self._sessions: dict[str, str] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/authorize", self._show, methods=["GET"]),
            Route("/authorize", self._decide, methods=["POST"]),
            Route("/account", self._approvals, methods=["GET"]),
            Route("/account", self._take_back, methods=["POST"]),
            Route("/octo.css", _style),
        ]

    async def _show(self, request: Request) -> Response:
        asked, grant_or_refusal = self._validated(request)
        if isinstance(grant_or_refusal, Response):
            return grant_or_refusal
        account = self._account(request)
        if account is None:
            return self._pages.sign_in(asked, asked.client)
        if not self._protocol.settings.asks_again and self._has_agreed(asked, account):
            return self._answer(asked, grant_or_refusal, Agreement(account, frozenset(asked.scope.split())))
        return self._pages.approve(asked, asked.client, account)

    async def _decide(self, request: Request) -> Response:
        """A posted `account` signs in; a posted `decision` answers the client, or signs out for another account."""
        if request.headers.get("origin", self._at.origin) != self._at.origin:
            return self._pages.problem("The answer came from another site.")
        asked, grant_or_refusal = self._validated(request)
        if isinstance(grant_or_refusal, Response):
            return grant_or_refusal
        posted = await incoming.form(request)
        chosen, account = dict(posted), self._account(request)
        if chosen.get("account") in self._protocol.settings.accounts:
            return self._signed_in(asked, chosen["account"])
        if account is None or chosen.get("decision") == "other":
            return self._signed_out(asked)
        scopes = frozenset(value for name, value in posted if name == "scope")
        agreed = Agreement(account, scopes) if chosen.get("decision") == "approve" and scopes else None
        return self._answer(asked, grant_or_refusal, agreed)

    async def _approvals(self, request: Request) -> Response:
        """Who may use the signed-in account: the page on which every provider lets people end that."""
        account = self._account(request)
        if account is None:
            return self._pages.problem("Nobody is signed in. Sign in where an app asks you to.")
        return self._pages.approvals(account, self._protocol.store.approvals_of(account))

    async def _take_back(self, request: Request) -> Response:
        if request.headers.get("origin", self._at.origin) != self._at.origin:
            return self._pages.problem("The answer came from another site.")
        chosen = dict(await incoming.form(request)).get("approval")
        store = self._protocol.store
        for _, approval in store.approvals_of(self._account(request) or ""):
            if approval.id == chosen:
                store.revoke(approval)
        return Response(status_code=303, headers={"Location": f"{self._at.path}/account"})

    def _validated(self, request: Request):
        """The request and its grant; or the request and the page or redirect that refuses it."""
        asked = incoming.asked(request, f"{self._at.authorize}?{request.url.query}")
        try:
            return asked, self._protocol.get_consent_grant(asked)
        except OAuth2Error as error:
            if error.redirect_uri:
                return asked, self._protocol.handle_error_response(asked, error)
            return asked, self._pages.problem(error.description or "The request is not complete.")
        except ValueError:  # Authlib will not put some characters into a description (RFC 6749 section 5.2)
            return asked, self._pages.problem("The request has characters that do not belong there.")

    def _answer(self, asked: Incoming, grant, agreement: Agreement | None) -> Response:
        return self._protocol.create_authorization_response(asked, agreement, grant=grant)

    def _has_agreed(self, asked: Incoming, account: str) -> bool:
        return set(asked.scope.split()) <= self._protocol.store.approved(asked.client.client_id, account)

    def _account(self, request: Request) -> str | None:
        return self._sessions.get(request.cookies.get(COOKIE, ""))

    def _signed_in(self, asked: Incoming, account: str) -> Response:
        session = secrets.token_urlsafe(32)
        self._sessions[session] = account
        return self._again(asked, session)

    def _signed_out(self, asked: Incoming) -> Response:
        return self._again(asked, "")

    def _again(self, asked: Incoming, session: str) -> Response:
        cookie = SimpleCookie({COOKIE: session})
        cookie[COOKIE].update({"path": self._at.path or "/", "httponly": True, "samesite": "Lax"})
        location = f"{self._at.authorize}?{urlsplit(asked.uri).query}"
        return Response(status_code=303, headers={"Location": location, "Set-Cookie": cookie[COOKIE].OutputString()})


async def _style(_: Request) -> Response:
    return Response((FOLDER / "octo.css").read_text(), media_type="text/css")
