"""Endpoints that misbehave over correct HTTP. The path's first part names the behaviour; the rest is free.

`with hostile_server() as bad:` then `bad.url("html-503")` is an endpoint whose card, JSON-RPC and HTTP+JSON
paths all answer 503 with HTML. What is no correct HTTP is in `hostile_tcp`.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tests.fakes import hostile_answers as answers
from tests.fakes.hostile_sizes import gzip_bomb, gzipped, huge, huge_card, latin1
from tests.fakes.hostile_streams import sse_bytes, sse_forever, sse_huge, sse_huge_event, sse_silent
from tests.fakes.record import Received, Recorder
from tests.fakes.server import serve

SECRET_COOKIE = "endpoint_session=stolen; Path=/"


@dataclass(frozen=True)
class Hostile:
    """A running server of bad behaviours, and what reached it."""

    origin: str
    received: list[Received]

    def url(self, behaviour: str) -> str:
        return f"{self.origin}/{behaviour}"


@contextlib.contextmanager
def hostile_server(elsewhere: str = "http://127.0.0.1:9") -> Iterator[Hostile]:
    """Run every behaviour on one port. `elsewhere` is the origin that redirects and cards point at."""
    received: list[Received] = []
    with serve(Recorder(_Behaviours(elsewhere), received), lifespan="off") as served:
        yield Hostile(served.url, received)


class _Behaviours:
    def __init__(self, elsewhere: str) -> None:
        self._elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        name, _, rest = scope["path"].lstrip("/").partition("/")
        kind, _, number = name.rpartition("-")
        if kind == "html" and number.isdecimal():
            response = html_error(int(number))
        elif kind == "redirect" and number.isdecimal():
            response = RedirectResponse(f"{self._elsewhere}/{rest}", int(number))
        elif name == "script-card":
            response = JSONResponse(answers.card_with_scripts(self._elsewhere))
        else:
            response = await BEHAVIOURS[name](request)
        await response(scope, receive, send)


def html_error(status: int) -> Response:
    """An error as a proxy in front of an endpoint would answer it."""
    headers = {"Retry-After": "7"} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="endpoint"'
    page = f"<html><h1>{status}</h1><script>window.__xss=1</script>nginx</html>"
    return HTMLResponse(page, status, headers)


async def never(request: Request) -> Response:
    """Reads the request and answers nothing until the caller has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def plain_page(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>Shop</title><h1>Welcome to our shop</h1>")


async def not_json(_: Request) -> Response:
    return Response("{this is not JSON", media_type="application/json")


async def json_list(_: Request) -> Response:
    return JSONResponse([1, 2, 3])


async def browser_headers(request: Request) -> Response:
    """A good answer under headers that a browser would act on (T07)."""
    response = await answers.task_response(request, "with headers")
    response.headers.update(
        {
            "Set-Cookie": SECRET_COOKIE,
            "Location": "https://evil.example/",
            "Content-Security-Policy": "default-src *",
            "Clear-Site-Data": '"*"',
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Credentials": "true",
            "Strict-Transport-Security": "max-age=0",
            "Refresh": "0; url=https://evil.example/",
            "Link": "<https://evil.example/x.js>; rel=preload",
            "Server": "evil/1.0",
            "X-Powered-By": "evil",
        }
    )
    return response


async def echo_headers(request: Request) -> Response:
    """Every request header again as `x-echo-<name>`, and all of them in a JSON-RPC error (T09)."""
    said = "; ".join(f"{name}={value}" for name, value in request.headers.items())
    response = JSONResponse(await answers.rpc_error(request, f"You sent {said}"))
    for name, value in request.headers.items():
        response.headers.append(f"x-echo-{name}", value)
    return response


async def rpc_error(request: Request) -> Response:
    return JSONResponse(await answers.rpc_error(request, "The endpoint's own words"))


async def zoneless(request: Request) -> Response:
    """What fasta2a 2.1.1 answers: a timestamp without a zone, and members that no specification names."""
    return JSONResponse(await answers.zoneless_task(request))


async def same_ids(request: Request) -> Response:
    """Gives every caller the same task id and the same context id."""
    return await answers.task_response(request, "yours and everybody's")


BEHAVIOURS = {
    endpoint.__name__.replace("_", "-"): endpoint
    for endpoint in (
        huge, huge_card, never, plain_page, not_json, json_list, gzipped, gzip_bomb, browser_headers,
        echo_headers, rpc_error, zoneless, same_ids, latin1,
        sse_bytes, sse_huge, sse_huge_event, sse_forever, sse_silent,
    )
}  # fmt: skip
