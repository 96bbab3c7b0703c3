"""Open redirects, hostile URL schemes and forged hosts: every address is ours, or one that was checked (T19, T37)."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from connections.methods.base import Caller
from consent import flow
from consent.forms import OAuthSettings
from consent.models import ConsentRequest, Grant
from consent.oauth2 import OWN_PARAMETERS
from consent.terms import shown_host
from portal.audit.models import LogRow
from tests import factories
from tests.connections.pages import key_form
from tests.consent import making
from tests.consent.attacks.stage import LINK, arrive, at_the_provider, leave
from tests.factories import PASSWORD

ELSEWHERE = [
    "https://evil.example",
    "http://evil.example/",
    "HTTPS://EVIL.EXAMPLE",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/%09/evil.example",
    "/%5cevil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "https:///evil.example",
    "https://localhost:8000@evil.example/",
    "https://localhost@evil.example",
    "https://localhost.evil.example",
    "https://evil.example/localhost",
    "https://evil.example#localhost",
    "https://evil.example?localhost",
    "https://evil.example\\@localhost",
    "http://testserver@evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://localhost/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "ftp://evil.example",
    "https://еvil.example",
    "https://ｅvil.example",
    "https://evil。example",
    "//\u202eevil.example",
]  # fmt: skip
HOSTILE_ADDRESSES = [
    *(url for url in ELSEWHERE if not url.lower().startswith("https://") or "@" in url or "#" in url or "\\" in url),
    "https://user:password@login.example/",
    "https://login.example/a\tb",
    "https://login.example/\nauthorize",
    "https://login.example/ authorize",
    "https://login.example/#fragment",
    "https://login.example:99999/",
    "https://login.example:8443/",
    "https://login.example/../token",
    "https://[::1]/token",
    "https://127.0.0.1/token",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost/token",
    "https://xn--\u0430.example/",
    "https://",
    "https:///token",
    "http://login.example/authorize",
]
PUBLIC = "https://93.184.216.34"
FIELDS = ("authorization_url", "token_url", "refresh_url", "revocation_url", "userinfo_url")


def is_ours(url: str) -> bool:
    return url.startswith("/") and not url.startswith(("//", "/\\"))


def test_there_are_forty_ways_to_lead_astray():
    assert len(set(ELSEWHERE)) == 40


# Open redirects


def test_no_parameter_of_a_consent_page_leads_away(stage, ben, bens):
    asking = stage.link(ben)
    for evil in ELSEWHERE:
        names = ("next", "return", "return_url", "redirect_uri", "here", "again")
        assert bens.get(f"/consent/{asking.id}", dict.fromkeys(names, evil)).status_code == 200
        answer = bens.post(f"/consent/{asking.id}", {"decision": evil, "next": evil, "again": evil})
        assert answer.url == f"/consent/{asking.id}"
    assert ConsentRequest.objects.get().state == "waiting"


def test_a_page_repeats_no_address_that_it_was_given(stage, ben, bens):
    page = bens.get(f"/consent/{stage.link(ben).id}?next=https://evil.example&here=//evil.example").content.decode()
    assert "evil.example" not in page


def test_no_parameter_of_an_answer_leads_away(stage, ben, bens):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    for evil in ELSEWHERE:
        answer = arrive(bens, back, code=None, state=evil, next=evil, error_uri=evil, iss=evil)
        assert answer.status_code == 400
        assert "Location" not in answer
    done = arrive(bens, back, next=ELSEWHERE[0], return_url=ELSEWHERE[3], redirect_uri=ELSEWHERE[0])
    assert done.url == f"/consent/{asking.id}/done"


@pytest.mark.parametrize("evil", ELSEWHERE)
def test_signing_in_on_the_way_to_a_link_leads_nowhere_else(ben, evil):
    answer = Client().post("/accounts/login/", {"login": ben.email, "password": PASSWORD, "next": evil})
    assert answer.status_code == 302
    assert is_ours(answer.url)


def test_signing_out_on_the_wrong_persons_page_leads_nowhere_else(browse, ben):
    for evil in ELSEWHERE:
        assert is_ours(browse(ben).post("/accounts/logout/", {"next": evil}).url)


def test_an_answer_without_a_session_leads_to_our_sign_in_whatever_it_says(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    for evil in ELSEWHERE:
        assert arrive(Client(), back, next=evil, state=evil).url == "/accounts/login/?next=/consents/"
    assert stage.token_requests == 0


# Addresses in the form and in the terms


@pytest.fixture
def strict(settings):
    """As it is installed: no internal network is allowed."""
    settings.ALLOWED_OUTBOUND_NETWORKS = []


def filled(**changes: str) -> OAuthSettings:
    """The form with addresses that need no look-up in the DNS."""
    return OAuthSettings(dict.fromkeys(FIELDS, f"{PUBLIC}/x") | {"client_id": "c"} | changes)


def test_an_honest_form_is_taken(strict):
    assert filled(issuer="https://login.example", authorization_url=f"{PUBLIC}/authorize?tenant=1").errors == {}


@pytest.mark.parametrize("evil", HOSTILE_ADDRESSES)
def test_no_address_of_a_connection_is_taken_that_a_browser_or_we_must_not_open(strict, evil):
    assert set(filled(**dict.fromkeys(FIELDS, evil)).errors) == set(FIELDS)


def test_a_connection_with_a_hostile_address_is_not_saved(strict, project, ana, browse):
    settings = filled(authorization_url="javascript:alert(1)").data
    form = key_form(f"{PUBLIC}/a2a", auth_method=making.METHOD, **{f"settings-{k}": v for k, v in settings.items()})
    answer = browse(ana).post(reverse("connection-new-a2a", args=[project.name]), form)
    assert answer.status_code == 422
    assert set(answer.context["entry"].settings.errors) == {"authorization_url"}
    assert 'href="javascript:' not in answer.content.decode()
    assert not project.connections.exists()


@pytest.mark.parametrize("evil", ["javascript:alert(1)", "data:text/html,x", "//x", "login.example", "mailto:x@y.z"])
def test_an_issuer_is_an_address_too(strict, evil):
    assert set(filled(issuer=evil).errors) == {"issuer"}


@pytest.mark.parametrize("name", [*sorted(OWN_PARAMETERS), "State", "REDIRECT_URI"])
def test_a_parameter_of_the_flow_can_be_planted_neither_beside_nor_in_the_address(strict, name):
    """A provider that takes the first of two would follow the planted one."""
    assert set(filled(extra=f"prompt = consent\n{name} = evil").errors) == {"extra"}
    planted = f"{PUBLIC}/authorize?tenant=1&{name}=evil"
    assert set(filled(authorization_url=planted).errors) == {"authorization_url"}
    assert set(filled(authorization_url=f"{PUBLIC}/authorize?{name}").errors) == {"authorization_url"}


# The check is the form's own; a few of each kind show that it is made here too.
@pytest.mark.parametrize("evil", HOSTILE_ADDRESSES[::3])
def test_a_hostile_address_in_stored_terms_is_never_linked(strict, project, ben, browse, evil):
    """Stored by an older version, a restored backup, or somebody with the database."""
    agent = factories.make_agent(project)
    connection = making.make_connection(project, agent, settings={"authorization_url": PUBLIC})
    asking = flow.ask(connection, Caller(agent, ben))
    lead_to(evil)
    page = browse(ben).get(f"/consent/{asking.id}").content.decode()
    assert 'value="continue"' not in page
    answer = browse(ben).post(f"/consent/{asking.id}", {"decision": "continue"})
    assert answer.status_code == 400
    assert LogRow.objects.filter(event=LINK, actor_id=ben.id).exists()
    for text in (page, answer.content.decode()):
        assert 'http-equiv="refresh"' not in text
        assert not [link for link in re.findall(r'(?:href|action|src)="([^"]*)"', text) if not is_ours(link)]


def lead_to(url: str) -> None:
    stored = ConsentRequest.objects.get()
    stored.terms["authorization_url"] = url
    stored.save()


@pytest.mark.parametrize("url", ["http://93.184.216.34/authorize", "http://login.example/authorize"])
def test_plain_http_to_a_public_host_is_refused_although_an_internal_network_is_allowed(
    stage, ben, bens, monkeypatch, url
):
    """The tests' settings allow http on loopback; where a name leads, only the DNS says."""
    monkeypatch.setattr("portal.outbound.names.ask", lambda host, port: ["93.184.216.34"])
    asking = stage.link(ben)
    lead_to(url)
    with stage.refuses("https_needed", by=ben, event=LINK):
        assert bens.post(f"/consent/{asking.id}", {"decision": "continue"}).status_code == 400


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://gith\u0443b.example/login", "xn--githb-hze.example"),
        ("https://GitHub.example:443/", "github.example"),
        ("https://\uff47ithub.example/", "github.example"),
        ("https://login.example\u3002evil.example/", "login.example.evil.example"),
    ],
)
def test_a_host_that_looks_like_another_is_shown_as_what_it_is(url, host):
    assert shown_host(url) == host


# Forged hosts


FORGED = {
    "HTTP_X_FORWARDED_HOST": "evil.example",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_FORWARDED": "host=evil.example",
    "HTTP_X_ORIGINAL_HOST": "evil.example",
    "HTTP_X_FORWARDED_PORT": "6666",
    "SERVER_PORT": "6666",
}


def test_no_link_and_no_redirect_address_is_built_from_a_header(stage, ben, bens):
    asking = stage.link(ben)
    assert flow.link_of(asking) == f"http://localhost:8000/consent/{asking.id}"
    page = bens.get(f"/consent/{asking.id}", **FORGED)
    leaving = bens.post(f"/consent/{asking.id}", {"decision": "continue"}, **FORGED)
    assert (
        f"redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fconsent%2Fcallback%2F{stage.connection.id}"
        in (leaving.context["address"])
    )
    back = at_the_provider(leaving.context["address"])
    done = bens.get(back.removeprefix("http://localhost:8000"), **FORGED)
    assert done.url == f"/consent/{asking.id}/done"
    assert "evil.example" not in page.content.decode() + leaving.content.decode() + str(done.headers)
    assert "6666" not in page.content.decode() + leaving.content.decode() + str(done.headers)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "localhost\\"])
def test_a_consent_under_a_forged_host_is_refused(stage, ben, bens, host):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    for path in (f"/consent/{asking.id}", back.removeprefix("http://localhost:8000"), "/consents/"):
        assert bens.get(path, HTTP_HOST=host).status_code == 400
    assert bens.post(f"/consent/{asking.id}", {"decision": "not_asked"}, HTTP_HOST=host).status_code == 400
    assert ConsentRequest.objects.get().state == "waiting"
    assert stage.token_requests == 0 and not Grant.objects.exists()
