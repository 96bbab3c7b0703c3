"""Token answers that no client may take (T20), by name; for `pytest.mark.parametrize` and a provider's `next`."""

from tests.fakes.misbehaviour import Misbehaviour, changed, literal, raw, without

MEGABYTE = 1024 * 1024
PAGE = b"<!doctype html><script>window.__xss=1</script>"
TWICE = b'{"access_token":"one","access_token":"two","token_type":"Bearer","expires_in":300}'

HOSTILE_TOKENS: dict[str, Misbehaviour] = {
    "html": raw(PAGE, content_type="text/html"),
    "html-called-json": raw(PAGE),
    "json-called-html": raw(b'{"access_token":"a","token_type":"Bearer"}', content_type="text/html"),
    "form-encoded": raw(b"access_token=a&token_type=bearer", content_type="application/x-www-form-urlencoded"),
    "50-megabytes": raw(b'{"access_token":"' + b"a" * 50 * MEGABYTE + b'"}'),
    "empty": raw(b""),
    "cut-off": raw(b'{"access_token":"a'),
    "not-utf-8": raw(b'{"access_token":"\xff\xfe"}'),
    "list": raw(b'["access_token"]'),
    "string": raw(b'"access_token"'),
    "null": raw(b"null"),
    "deep": raw(b"[" * 60_000 + b"]" * 60_000),
    "twice": raw(TWICE),
    "no-access-token": without("access_token"),
    "no-token-type": without("token_type"),
    "other-token-type": changed(token_type="mac"),
    "token-type-number": changed(token_type=1),
    "token-empty": changed(access_token=""),
    "token-number": changed(access_token=12345678),
    "token-list": changed(access_token=["a"]),
    "token-crlf": changed(access_token="abc\r\nx-injected: 1"),
    "token-nul": changed(access_token="abc\x00def"),
    "token-space": changed(access_token="abc def"),
    "token-not-ascii": changed(access_token="schlüssel"),
    "token-300-kb": changed(access_token="a" * 300 * 1024),
    "refresh-token-crlf": changed(refresh_token="abc\r\ndef"),
    "refresh-token-list": changed(refresh_token=["a"]),
    "refresh-token-300-kb": changed(refresh_token="a" * 300 * 1024),
    "expires-1e309": literal("expires_in", "1e309"),
    "expires-1e309-text": changed(expires_in="1e309"),
    "expires-nan": literal("expires_in", "NaN"),
    "expires-negative": changed(expires_in=-1),
    "expires-bool": changed(expires_in=True),
    "expires-list": changed(expires_in=[300]),
    "expires-5000-digits": literal("expires_in", "9" * 5000),
    "scope-list": changed(scope=["reviews:read"]),
    "scope-number": changed(scope=7),
}

# Odd, but a client has to live with them.
ODD_TOKENS: dict[str, Misbehaviour] = {
    "no-expires-in": without("expires_in"),
    "expires-text": changed(expires_in="300"),
    "expires-null": changed(expires_in=None),
    "expires-hundred-years": changed(expires_in=100 * 365 * 24 * 3600),
    "expires-zero": changed(expires_in=0),
    "no-scope": without("scope"),
    "narrower-scope": changed(scope="reviews:read"),
    "wider-scope": changed(scope="reviews:read reviews:comment profile admin"),
    "no-new-refresh-token": without("refresh_token"),
    "refresh-token-null": changed(refresh_token=None),
    "token-type-lower-case": changed(token_type="bearer"),
    "unknown-members": changed(instance_url="https://x.example", id_token="e30.e30.", error=None),
}
