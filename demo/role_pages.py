"""The page beside an agent for staff: which identities have its role; assign it, take it away."""

import uuid
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from demo.drawing import HEADERS, filled
from demo.provider.endpoints import is_loopback
from demo.provider.incoming import form
from demo.roles import Principal, Role

FOLDER = Path(__file__).with_name("templates")
STYLE = FOLDER / "roles.css"
NO_PRINCIPAL = "A principal ID looks like 1f0c3f8e-6a52-4d0b-9a3e-2f5b7c9d1e40. What came has another form."
FROM_ELSEWHERE = "The form came from another site, so nothing was changed."


class RolePages:
    """For the agent called `agent` that lives under `path`. Programs may post the form too, without an Origin."""

    def __init__(self, path: str, agent: str, role: Role) -> None:
        self._at = f"{path}/roles"
        self._agent = agent
        self._role = role

    def routes(self) -> list[Route]:
        return [
            Route(self._at, self._show, methods=["GET"]),
            Route(self._at, self._change, methods=["POST"]),
            Route(f"{self._at}.css", _style, methods=["GET"]),
        ]

    async def _show(self, _: Request) -> Response:
        held = [self._row("held" if one.name else "never_asked", one) for one in self._role.holders()]
        refused = [self._row("refused", principal) for principal in self._role.refused]
        rows = {"held": "".join(held) or filled(FOLDER / "nobody.html"), "refused": "".join(refused)}
        texts = {"agent": self._agent, "role": self._role.name, "action": self._at}
        return self._page("Role assignments", filled(FOLDER / "roles.html", rows, **texts))

    async def _change(self, request: Request) -> Response:
        """`assign` or `take_away` is the principal id. Only a browser is sent back to the page."""
        if not _is_from_here(request):
            return self._problem(FROM_ELSEWHERE, 403)
        posted = dict(await form(request))
        try:
            entered = posted.get("assign") or posted.get("take_away", "")
            principal = self._principal(entered, posted.get("name", ""))
        except ValueError:
            return self._problem(NO_PRINCIPAL, 400)
        if "assign" in posted:
            self._role.assign(principal)
        else:
            self._role.take_away(principal)
        if "text/html" not in request.headers.get("accept", ""):
            return Response(status_code=204)
        return Response(status_code=303, headers={"Location": self._at})

    def _principal(self, entered: str, name: str) -> Principal:
        """With the name that is known from its calls, where none is given. Raises ValueError."""
        identifier = str(uuid.UUID(entered.strip()))
        known = {principal.id: principal.name for principal in (*self._role.holders(), *self._role.refused)}
        return Principal(identifier, name[:200] or known.get(identifier, ""))

    def _row(self, template: str, principal: Principal) -> str:
        texts = {"name": principal.name, "principal": principal.id, "role": self._role.name}
        return filled(FOLDER / f"{template}.html", **texts)

    def _problem(self, sentence: str, status: int) -> HTMLResponse:
        content = filled(FOLDER / "problem.html", sentence=sentence, action=self._at)
        return self._page("Nothing was changed", content, status)

    def _page(self, title: str, content: str, status: int = 200) -> HTMLResponse:
        texts = {"title": title, "agent": self._agent, "style": f"{self._at}.css"}
        return HTMLResponse(filled(FOLDER / "layout.html", {"content": content}, **texts), status, HEADERS)


def _is_from_here(request: Request) -> bool:
    """Whether no page of another site posted it, nor one whose name somebody pointed at this machine."""
    own = f"{request.url.scheme}://{request.url.netloc}"
    return is_loopback(request.url.hostname or "") and request.headers.get("origin", own) == own


async def _style(_: Request) -> Response:
    return Response(STYLE.read_text(), media_type="text/css")
