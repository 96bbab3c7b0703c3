"""A person at the fake provider: through its pages with plain HTTP, or in a real browser."""

import base64
import hashlib
import secrets
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from demo.authorization_server import Registration
from tests.fakes.authorization_server import REDIRECT_URI, FakeProvider


def sign_in(
    http: httpx.Client, url: str, account: str = "octo-ben", *, deny: bool = False, scopes: set[str] | None = None
) -> str:
    """Go from the authorize URL through the pages; returns the address that the browser is sent back to, unvisited.

    http keeps the cookies; an account that is signed in already is exchanged for `account`.
    scopes: what stays ticked; None leaves all. Raises AssertionError where the provider shows a problem.
    """
    answer = _until_page(http, http.get(url))
    if not answer.is_redirect and not _values(answer, "account"):
        answer = _until_page(http, _post(http, answer, [("decision", "other")]))
    if not answer.is_redirect:
        answer = _until_page(http, _post(http, answer, [("account", account)]))
    if not answer.is_redirect:
        ticked = [("scope", s) for s in _values(answer, "scope") if scopes is None or s in scopes]
        answer = _until_page(http, _post(http, answer, [("decision", "deny" if deny else "approve"), *ticked]))
    assert answer.is_redirect, f"The provider showed a page instead of going back: {answer.text}"
    return answer.headers["location"]


def sign_in_with_browser(page: Any, account: str = "octo-ben", *, deny: bool = False) -> None:
    """The same in a Playwright page that stands at the provider; ends when the browser has left it."""
    origin = urlsplit(page.url).netloc
    other = page.get_by_role("button", name="Use another account")
    if other.count():
        other.click()
    page.get_by_role("button", name=account).click()
    page.get_by_role("button", name="Deny" if deny else "Authorize").click()
    page.wait_for_url(lambda url: urlsplit(url).netloc != origin)


def query_of(url: str) -> dict[str, str]:
    """The parameters of a callback address: code, state, iss, error."""
    return dict(parse_qsl(urlsplit(url).query))


def pkce() -> tuple[str, dict[str, str]]:
    """A verifier, and the two parameters that go with the authorization request (RFC 7636)."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return verifier, {"code_challenge": challenge, "code_challenge_method": "S256"}


def tokens_for(
    provider: FakeProvider, client: Registration, account: str = "octo-ben", scope: str = "", **parameters: str
) -> dict[str, Any]:
    """A token answer got by the whole flow; for a client that authenticates by basic, or a public one."""
    verifier, challenge = pkce()
    asked = {**challenge, **parameters, **({"scope": scope} if scope else {})}
    with httpx.Client() as http:
        back = sign_in(http, provider.authorize_url(client, state="s", **asked), account)
        form = {"grant_type": "authorization_code", "code": query_of(back)["code"], "code_verifier": verifier}
        answer = ask(http, provider, client, redirect_uri=REDIRECT_URI, **form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ask(http: httpx.Client, provider: FakeProvider, client: Registration, **form: str) -> httpx.Response:
    """Post to the token endpoint. Secrets that `register` made up need no form-encoding."""
    if client.client_secret:
        return http.post(provider.at.token, data=form, auth=(client.client_id, client.client_secret))
    return http.post(provider.at.token, data={**form, "client_id": client.client_id})


def refresh(
    http: httpx.Client, provider: FakeProvider, client: Registration, refresh_token: str, **form: str
) -> httpx.Response:
    return ask(http, provider, client, grant_type="refresh_token", refresh_token=refresh_token, **form)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and `error` of a refusal."""
    return answer.status_code, answer.json()["error"]


def _until_page(http: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Follow redirects within the provider; stop at the one that leaves it."""
    while answer.is_redirect:
        target = urljoin(str(answer.url), answer.headers["location"])
        if not target.startswith(f"{answer.url.scheme}://{answer.url.netloc.decode()}/"):
            break
        answer = http.get(target)
    return answer


def _post(http: httpx.Client, page: httpx.Response, fields: list[tuple[str, str]]) -> httpx.Response:
    [action] = _Form.of(page).actions or [""]
    assert action, f"There is no form on this page: {page.text}"
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    return http.post(urljoin(str(page.url), action), data=data)


def _values(page: httpx.Response, name: str) -> list[str]:
    return [value for field, value in _Form.of(page).fields if field == name]


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.actions: list[str] = []
        self.fields: list[tuple[str, str]] = []

    @classmethod
    def of(cls, page: httpx.Response) -> "_Form":
        form = cls()
        form.feed(page.text)
        return form

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.actions.append(given.get("action") or "")
        if tag in ("input", "button"):
            self.fields.append((given.get("name") or "", given.get("value") or ""))
