"""Every record of a publisher holds together: a slip in one would send tokens or people somewhere else."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from urllib.parse import urlsplit

import pytest

from consent.management.commands import publishers_page
from consent.publishers import CATALOGUE, PUBLISHERS, Publisher, Scope, Variable, Wire
from consent.publishers.record import PLACE
from consent.revoking import WAYS

ADDRESSES = ("authorization_url", "token_url", "refresh_url", "revocation_url", "userinfo_url", "issuer")
# Hosts of a publisher, themselves or what ends in them, and the folders of GitHub that are its own.
OWN = {
    "airtable": ("airtable.com", "github.com/Airtable/"),
    "asana": ("asana.com", "github.com/Asana/"),
    "atlassian": ("atlassian.com",),
    "auth0": ("auth0.com",),
    "box": ("box.com",),
    "discord": ("discord.com",),
    "docusign": ("docusign.com", "github.com/docusign/"),
    "dropbox": ("dropbox.com", "dropboxapi.com", "github.com/dropbox/"),
    "figma": ("figma.com", "github.com/figma/"),
    "github": ("github.com",),
    "github-app": ("github.com",),
    "gitlab": ("gitlab.com",),
    "google": ("google.com", "googleapis.com", "github.com/googleapis/"),
    "hubspot": ("hubspot.com", "hubapi.com", "github.com/HubSpot/"),
    "intercom": ("intercom.com", "intercom.io"),
    "linear": ("linear.app",),
    "microsoft": ("microsoft.com", "microsoftonline.com"),
    "notion": ("notion.com", "notion.so"),
    "okta": ("okta.com",),
    "salesforce": ("salesforce.com", "github.com/forcedotcom/"),
    "servicenow": ("servicenow.com", "service-now.com"),
    "slack": ("slack.com", "slack.dev"),
    "stripe": ("stripe.com", "github.com/stripe/"),
    "zendesk": ("zendesk.com",),
    "zoom": ("zoom.us", "github.com/zoom/"),
}
# The portal's own, which a record may not set.
PARAMETERS = "response_type response_mode client_id client_secret redirect_uri state nonce code_challenge scope".split()
# RFC 6749, appendix A.4, without the comma that some publishers separate them by.
SCOPE_NAME = re.compile(r"[!#-+\--\[\]-~]+")

each = pytest.mark.parametrize("publisher", CATALOGUE, ids=lambda publisher: publisher.slug)


def faults(publisher: Publisher) -> list[str]:
    """What is wrong with a record, in words; empty where nothing is."""
    return [*_naming(publisher), *_addresses(publisher), *_variables(publisher), *_scopes(publisher), *_wire(publisher)]


def _naming(publisher: Publisher) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9-]+", publisher.slug):
        yield "slug"
    if not re.fullmatch(r"[A-Z0-9]{1,2}", publisher.initials):
        yield "initials"
    if not all((publisher.name, publisher.register_hint, publisher.lives, publisher.documents)):
        yield "something is left empty"
    if publisher.checked is not None and not date(2026, 11, 24) <= publisher.checked <= date.today():
        yield "checked"
    for url in (*publisher.documents, publisher.register_at):
        if not _is_own(publisher, url):
            yield f"not the publisher's own: {url}"


def _addresses(publisher: Publisher) -> Iterator[str]:
    examples = {variable.name: variable.example for variable in publisher.variables} | {"client_id": "client"}
    if not publisher.authorization_url or not publisher.token_url:
        yield "no address to sign in, or for tokens"
    for name in filter(lambda name: getattr(publisher, name), ADDRESSES):
        if unknown := set(PLACE.findall(getattr(publisher, name))) - set(examples):
            yield f"{name}: nothing fills {unknown}"
        elif not _is_own(publisher, publisher.address(name, examples)):
            yield f"{name}: not the publisher's own host"
        if "{client_id}" in getattr(publisher, name) and name != "revocation_url":
            yield f"{name}: a client id"


def _is_own(publisher: Publisher, url: str) -> bool:
    parts = urlsplit(url)
    plain = parts.scheme == "https" and parts.netloc == parts.hostname and re.fullmatch(r"[\x21-\x7e]+", url)
    hosts = [own for own in OWN[publisher.slug] if "/" not in own]
    under = [own for own in OWN[publisher.slug] if "/" in own]
    return bool(plain) and (
        any(f".{parts.hostname}".endswith(f".{host}") for host in hosts)
        or any(f"{parts.netloc}{parts.path}".startswith(folder) for folder in under)
    )


def _variables(publisher: Publisher) -> Iterator[str]:
    places = {place for name in ADDRESSES for place in PLACE.findall(getattr(publisher, name))} - {"client_id"}
    if places != {variable.name for variable in publisher.variables}:
        yield "variables and places differ"
    for variable in publisher.variables:
        for value in filter(None, (variable.example, variable.default)):
            if not re.fullmatch(variable.pattern, value):
                yield f"{variable.name}: {value} does not fit"
        for value in strange(publisher, variable):
            if re.fullmatch(variable.pattern, value):
                yield f"{variable.name}: {value} fits"


def strange(publisher: Publisher, variable: Variable) -> list[str]:
    """Values that would lead out of the publisher's hosts or into another path, where the variable stands."""
    example = variable.example
    values = ["", "..", ".", f"{example}/x", f"{example}?x", f"{example}#", f"x@{example}", f"{example}:8443"]
    values += [f"{example}\n", f"{example} ", f"{example}.", f".{example}", f"-{example}", f"{example}%2f", "a\\b", "é"]
    if any(urlsplit(getattr(publisher, name)).netloc.find(f"{{{variable.name}}}") == 0 for name in ADDRESSES):
        values += [f"{example}.evil.example", f"evil.example.{'x' * 64}", f"{example}-evil.example"]
        registered = ".".join(example.split(".")[-2:])
        values += [] if _is_label(publisher, variable) else ["evil.example", f"evil{registered}", f"a.evil{registered}"]
    return values


def _is_label(publisher: Publisher, variable: Variable) -> bool:
    return urlsplit(publisher.token_url).netloc != f"{{{variable.name}}}"


def _scopes(publisher: Publisher) -> Iterator[str]:
    names = [scope.name for scope in publisher.scopes]
    if len(set(names)) != len(names) or not all(map(SCOPE_NAME.fullmatch, names)):
        yield "names of scopes"
    if publisher.wire.scope_separator not in (" ", ",") or any(
        publisher.wire.scope_separator in name for name in names
    ):
        yield "the separator of scopes"
    if missing := {*publisher.default_scopes, *publisher.fixed_scopes} - set(names):
        yield f"no words for {missing}"
    if set(publisher.default_scopes) & set(publisher.fixed_scopes):
        yield "asked in any case, and ticked as well"
    for scope in publisher.scopes:
        if not re.fullmatch(r"[A-Z][^.]+", scope.words) or len(scope.words) > 80:
            yield f"words of {scope.name}"


def _wire(publisher: Publisher) -> Iterator[str]:
    wire = publisher.wire
    if publisher.pkce not in ("S256", "off") or publisher.client_auth not in ("basic", "post", "none"):
        yield "pkce or client_auth"
    if publisher.client_auth == "none" and publisher.pkce == "off":
        yield "neither a secret nor PKCE"
    if wire.body not in ("form", "json") or wire.revocation not in {"", *WAYS}:
        yield "body or revocation"
    if bool(wire.revocation) != bool(publisher.revocation_url):
        yield "a way to cancel without an address, or an address without a way"
    if wire.revocation_ends_all and not wire.revocation:
        yield "nothing can be cancelled, so nothing ends all"
    if taken := set(publisher.authorize_params) & {*PARAMETERS, wire.scope_parameter}:
        yield f"the portal's own parameters: {taken}"
    if any(kind != kind.lower() for kind in wire.token_types) or not wire.token_types:
        yield "token types"
    if any(not 400 <= status < 500 for status in wire.ended_statuses):
        yield "statuses"
    if set(wire.ended_errors) & set(wire.client_errors):
        yield "an error that means two things"
    if (publisher.grace or 0) < 0 or wire.expires_default == 0:
        yield "seconds"


@each
def test_a_record_holds_together(publisher):
    assert faults(publisher) == []


def test_slugs_are_unique_and_known():
    assert len(PUBLISHERS) == len(CATALOGUE)
    assert PUBLISHERS.keys() == OWN.keys()


def test_the_first_of_the_catalogue_are_in_their_order():
    first = "github github-app google microsoft slack atlassian salesforce notion zoom dropbox".split()
    assert list(PUBLISHERS)[:10] == first


SOUND = PUBLISHERS["salesforce"]
LOOSE = Variable("host", "Host", r"[a-z.]+", "acme.my.salesforce.com")
FAULTS = {
    "an address without TLS": {"token_url": "http://{host}/services/oauth2/token"},
    "an address with a user": {"token_url": "https://login@{host}/services/oauth2/token"},
    "a host of somebody else": {"token_url": "https://salesforce.example/services/oauth2/token"},
    "a host that only ends alike": {"userinfo_url": "https://evilsalesforce.com/userinfo"},
    "a place that nothing fills": {"token_url": "https://{host}/{org}/token"},
    "no address for tokens": {"token_url": ""},
    "a client id where a page is": {"authorization_url": "https://{host}/{client_id}"},
    "a variable that has no place": {"variables": (*SOUND.variables, replace(SOUND.variables[0], name="org"))},
    "an example that does not fit": {"variables": (replace(SOUND.variables[0], example="acme.example"),)},
    "a default that does not fit": {"variables": (replace(SOUND.variables[0], default="acme.example"),)},
    "a pattern that lets any host in": {"variables": (LOOSE,)},
    "documents of somebody else": {"documents": ("https://nango.dev/docs/salesforce",)},
    "documents in another's folder": {"documents": ("https://github.com/someone/notes",)},
    "no documents": {"documents": ()},
    "a slug with a space": {"slug": "salesforce", "initials": "S F"},
    "three initials": {"initials": "SFC"},
    "compared before there were records": {"checked": date(2024, 1, 1)},
    "compared tomorrow": {"checked": date(9999, 1, 1)},
    "no words about lifetimes": {"lives": ""},
    "a scope twice": {"scopes": (*SOUND.scopes, SOUND.scopes[0])},
    "a scope with a space": {"scopes": (*SOUND.scopes, Scope("read all", "Read all"))},
    "a scope without words": {"scopes": (*SOUND.scopes, Scope("all", ""))},
    "a default that is no scope": {"default_scopes": ("all",)},
    "a fixed scope that is no scope": {"fixed_scopes": ("offline",)},
    "a scope that is fixed and ticked": {"default_scopes": SOUND.fixed_scopes},
    "plain PKCE": {"pkce": "plain"},
    "an unknown client authentication": {"client_auth": "header"},
    "a public app without PKCE": {"client_auth": "none", "pkce": "off"},
    "a parameter of the portal": {"authorize_params": {"state": "x"}},
    "a way to cancel without an address": {"revocation_url": ""},
    "an address without a way": {"wire": Wire(revocation="")},
    "an unknown way": {"wire": Wire(revocation="post")},
    "an unknown body": {"wire": Wire(revocation="google", body="xml")},
    "an unknown separator": {"wire": Wire(revocation="google", scope_separator=";")},
    "an error that means two things": {
        "wire": Wire(revocation="google", ended_errors=("gone",), client_errors=("gone",))
    },
    "a status that is no refusal": {"wire": Wire(revocation="google", ended_statuses=(503,))},
    "a token type in capitals": {"wire": Wire(revocation="google", token_types=("Bearer",))},
}


@pytest.mark.parametrize("change", FAULTS.values(), ids=FAULTS)
def test_a_faulty_record_fails(change):
    assert faults(SOUND) == []
    assert faults(replace(SOUND, **change))


@pytest.mark.parametrize(
    ("slug", "value"),
    [
        ("microsoft", "72f988bf-86f1-41af-91ab-2d7cd011db47"),
        ("microsoft", "organizations"),
        ("salesforce", "test.salesforce.com"),
        ("salesforce", "acme--dev.sandbox.my.salesforce.com"),
        ("okta", "acme.oktapreview.com"),
        ("auth0", "acme.auth0.com"),
        ("docusign", "account-d.docusign.com"),
    ],
)
def test_what_owners_have_fits(slug, value):
    assert re.fullmatch(PUBLISHERS[slug].variables[0].pattern, value)


@pytest.mark.parametrize(
    ("slug", "value"),
    [
        ("microsoft", "../consumers"),
        ("salesforce", "evil.lightning.force.com"),
        ("salesforce", "my.salesforce.com"),
        ("okta", "acme.okta.com.evil.example"),
        ("okta", "okta.com"),
        ("auth0", "acme.evil.auth0.com"),
        ("zendesk", "evil.example/"),
        ("servicenow", "a.b"),
        ("docusign", "account.docusign.com.evil.example"),
    ],
)
def test_what_leads_elsewhere_does_not(slug, value):
    assert not re.fullmatch(PUBLISHERS[slug].variables[0].pattern, value)


def test_the_page_of_publishers_is_current():
    assert publishers_page.PAGE.read_text() == publishers_page.page(), "run: python manage.py publishers_page"
