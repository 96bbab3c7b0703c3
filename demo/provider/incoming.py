"""A request in Authlib's shape, read strictly."""

import base64
import binascii
from collections import defaultdict
from urllib.parse import parse_qsl, unquote_plus

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload, OAuth2Request
from starlette.requests import Request

from demo.provider.records import Client

FORM = "application/x-www-form-urlencoded"


class Parameters(OAuth2Payload):
    """Query or form parameters; `datalist` keeps the repeated ones."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._lists = defaultdict(list)
        for name, value in pairs:
            self._lists[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        return {name: values[0] for name, values in self._lists.items()}

    @property
    def datalist(self) -> defaultdict[str, list]:
        return self._lists


class Incoming(OAuth2Request):
    """`uri` is built from the issuer, never from the Host header."""

    def __init__(self, method: str, uri: str, headers: dict[str, str], parameters: Parameters) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = parameters

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data

    @property
    def args(self) -> dict[str, str]:
        return self.payload.data


def asked(request: Request, uri: str) -> Incoming:
    """An authorization request: its parameters are the query's, also when the approval is posted."""
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    return Incoming(request.method, uri, _headers(request), Parameters(pairs))


async def posted(request: Request, uri: str) -> Incoming:
    """A request of a client itself: a form, no parameter twice (RFC 6749 section 3.2), one way to authenticate.

    Raises InvalidRequestError.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise InvalidRequestError("The request must be a form.")
    parameters = Parameters(await form(request))
    repeated = [name for name, values in parameters.datalist.items() if len(values) > 1 and name != "resource"]
    if repeated:
        raise InvalidRequestError("A parameter is given more than once.")
    proofs = {"client_secret", "client_assertion"} & set(parameters.data)
    if len(proofs) + ("authorization" in request.headers) > 1:
        raise InvalidRequestError("The client authenticates in more than one way.")
    return Incoming(request.method, uri, _headers(request), parameters)


async def form(request: Request) -> list[tuple[str, str]]:
    body = await request.body()
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def client_by_basic(query_client, request: Incoming) -> Client | None:
    """RFC 6749 section 2.3.1: both parts are form-encoded. Authlib's own reader takes a + for a plus."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, colon, secret = pair.partition(":")
    if scheme.lower() != "basic" or not colon:
        return None
    client = query_client(unquote_plus(client_id))
    return client if client and client.check_client_secret(unquote_plus(secret)) else None


def _headers(request: Request) -> dict[str, str]:
    return {name.title(): value for name, value in request.headers.items()}
