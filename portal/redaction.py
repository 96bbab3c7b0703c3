"""The last line of defence for log lines: what looks like a secret is cut out, whoever wrote it.

It knows shapes, not values, and so is no permission to log secrets: security.md 3.5 says what keeps them away.
"""

import re

MASK = "[redacted]"

# Names whose value is a secret wherever it stands: in a query, a form, a header, JSON, or a printed dict.
_NAMES = (
    "client_secret|client_assertion|code_verifier|access_token|refresh_token|id_token|assertion|credential_value|"
    "password|passwd|api[_-]?key|x-api-key|secret_key|secret|token|sessionid|csrfmiddlewaretoken"
)
# Ordinary words as well: "state: active" and "code: 404" stay readable.
_WORDS = "code|state"
# Also behind an encoded ? or &, as in `next=%2Fcallback%3Fcode%3D…`.
_BEGINS = r"(?:(?<![\w-])|(?<=%[0-9A-F]{2})|(?<=%25[0-9A-F]{2}))"
_VALUE = r"""(?:"[^"\n]*"?|'[^'\n]*'?|(?:(?!%26|%2526|%22|%27)[^\s&"'<>,;)\]}])+)"""

_SHAPES = re.compile(
    rf"""
      (?P<agent_key>  \bghk_[\w-]+ )
    | (?P<fernet>     \bgAAAA[\w-]{{16,}}={{0,2}} )
    | (?P<jwt>        \beyJ[\w-]{{6,}}\.[\w-]+(?:\.[\w-]*){{0,3}} )
    | (?P<ring_key>   (?<![\w-])[\w-]{{43}}=(?![\w=]) )
    | (?P<scheme>     \b(?:Bearer|Basic)(?:\s+|%20|\+)) (?P<scheme_value>[^\s"',;<>&]+)
    | (?P<in_url>     ://[^\s/:@]*:)(?P<url_password>[^\s/@]+)(?=@)
    | (?P<cookies>    \bCookie["']?\s*[:=]\s*["']?)(?P<cookies_value>[^\n"']+)
    | (?P<named>      {_BEGINS}(?: (?:(?:{_NAMES})["']?\s*(?:=|:|%(?:25)?3[DA])\s*)+
                              | (?:{_WORDS})(?:["']\s*:\s*|=|%(?:25)?3D) ))(?P<named_value>{_VALUE})
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redacted(text: str) -> str:
    """The text without what looks like a key, a token, a code or a password."""
    return _SHAPES.sub(_masked, text)


def _masked(found: re.Match) -> str:
    kept = found["scheme"] or found["in_url"] or found["cookies"] or found["named"] or ""
    value = found["named_value"] or ""
    quote = value[0] if value[:1] in ('"', "'") else ""
    return f"{kept}{quote}{MASK}{quote}"
