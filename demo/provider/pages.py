"""The pages that people see: sign in, approve, and what went wrong. Plain HTML, every value escaped."""

from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from demo.drawing import HEADERS, filled
from demo.provider.incoming import Incoming
from demo.provider.records import Approval, Client
from demo.provider.settings import Settings

FOLDER = Path(__file__).with_name("templates")


class Pages:
    """Draws the pages of the server at `base`, its path on this host."""

    def __init__(self, base: str, settings: Settings) -> None:
        self._base = base
        self._settings = settings

    def sign_in(self, request: Incoming, client: Client) -> HTMLResponse:
        accounts = [_fill("account", account=name, person=who) for name, who in self._settings.accounts.items()]
        content = _fill("sign_in", {"accounts": "".join(accounts)}, client=client.name, action=self._action(request))
        return self._page("Sign in", content)

    def approve(self, request: Incoming, client: Client, account: str) -> HTMLResponse:
        scopes = [_fill("scope", scope=s, sentence=self._settings.scopes[s]) for s in request.scope.split()]
        target = urlsplit(request.payload.redirect_uri).netloc
        facts = {"client": client.name, "account": account, "target": target, "action": self._action(request)}
        return self._page("Authorize", _fill("approve", {"scopes": "".join(scopes)}, **facts))

    def approvals(self, account: str, given: list[tuple[Client, Approval]]) -> HTMLResponse:
        rows = [_fill("approval", client=client.name, scope=a.scope, approval=a.id) for client, a in given]
        html = {"approvals": "".join(rows) or "<p>None.</p>"}
        return self._page("Apps with access", _fill("approvals", html, account=account, action=f"{self._base}/account"))

    def problem(self, sentence: str) -> HTMLResponse:
        return self._page("This request can't go on", _fill("problem", sentence=sentence), 400)

    def _action(self, request: Incoming) -> str:
        return f"{self._base}/authorize?{urlsplit(request.uri).query}"

    def _page(self, title: str, content: str, status: int = 200) -> HTMLResponse:
        return HTMLResponse(_fill("layout", {"content": content}, title=title, base=self._base), status, HEADERS)


def _fill(name: str, html: dict[str, str] | None = None, **texts: str) -> str:
    return filled(FOLDER / f"{name}.html", html, **texts)
