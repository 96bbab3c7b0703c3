"""Secrets of every shape that a log line may meet; each holds the word `canary`, so that finding one is simple."""

import base64

WORD = "canary"
# A secret without any shape, as a password has: only what is never written keeps it out.
PLAIN = "canary-in-plain-sight"


def _part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


JWT = ".".join([_part('{"alg":"none","typ":"JWT"}'), _part('{"sub":"somebody","n":1}'), "canary_signature-canary"])
FERNET = "gAAAAABcanary_canary-canary_canary-canary_canary-canary_canary-canary_canary-canary=="
RING_KEY = "canary-canary_canary-canary_canary-canary_c" + "="

CANARIES = {
    "agent key": "ghk_canary012345_canarycanarycanarycanarycanarycanarycanary",
    "bearer": "Authorization: Bearer canary.opaque/token+value==",
    "bearer in a dict": "{'authorization': 'bearer canary-token'}",
    "basic": "Authorization: Basic Y2FuYXJ5canary==",
    "jwt": f"the token {JWT} was not accepted",
    "fernet": f"could not open {FERNET}",
    "ring": f"GATEHOUSE_KEYS=k1:{RING_KEY}",
    "client secret": "grant_type=authorization_code&client_secret=canary%2Bsecret&redirect_uri=x",
    "code and state": "GET /consent/callback/7?code=canary-code&state=canary-state HTTP/1.1",
    "code in an encoded query": "/accounts/login/?next=/consent/callback/7%3Fcode%3Dcanary-code%26state%3Dcanary-state",
    "code encoded twice": "next=%252Fcallback%253Fcode%253Dcanary-code%2526state%253Dcanary-state",
    "json": '{"access_token": "canary access", "refresh_token":"canary-refresh", "id_token" : "canary-id"}',
    "a printed dict": "{'client_secret': 'canary-secret', 'code': 'canary-code', 'state': 'canary-state'}",
    "a password in an address": "connecting to postgresql://gatehouse:canary-password@db.example.com/gatehouse",
    "a header": "api-key: x-api-key: canary-key",
    "a cookie": "Cookie: tz=UTC; __Host-session=canary-session; x=canary",
}
