"""Where publishers depart from the standards: what is sent, what is read, how they are told. Each with its attacks."""

import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from consent import oauth2, revoking, token_answers
from consent.forms import OAuthSettings
from consent.oauth2 import Client, ClientRefused, GrantEnded, ProviderBusy, RequestRefused, Uncertain
from consent.publishers import PUBLISHERS, Wire
from consent.terms import Terms
from portal.outbound.session import Answer
from portal.vault import Secret
from tests.consent.publishers import record_at, terms_of
from tests.fakes import misbehaviour as bad
from tests.fakes.publishers import FAKES, FakePublisher, running
from tests.fakes.signing_in import query_of

REDIRECT_URI = "http://127.0.0.1:9/callback"
LIKE_SLACK = Wire(token_path=("authed_user",), success_member="ok", token_types=("user",))
OF_USER = {"access_token": "a", "refresh_token": "r", "token_type": "user", "expires_in": 43_200, "scope": "x,y"}
TOKEN = {"access_token": "a", "token_type": "Bearer"}


def answer(body, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    """`body` as JSON, or bytes as they are."""
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, (("Content-Type", kind), *named), written, 1)


def kind_of(given: Answer, wire: Wire, path: tuple[str, ...] = ()) -> type[Exception] | None:
    try:
        token_answers.read(given, wire, path)
    except token_answers.TokenRefused as refused:
        return type(refused)
    return None


# What is read


class TestWhereTheTokensStand:
    def test_at_a_path(self):
        tokens = token_answers.read(answer({"ok": True, "authed_user": OF_USER}), LIKE_SLACK, LIKE_SLACK.token_path)
        assert (tokens.access.reveal(), tokens.refresh.reveal()) == ("a", "r")
        assert (tokens.expires_in, tokens.scopes) == (43_200, ("x", "y"))

    def test_elsewhere_in_the_answer_to_a_refresh(self):
        tokens = token_answers.read(answer({"ok": True, **OF_USER}), LIKE_SLACK, LIKE_SLACK.refreshed_path)
        assert tokens.access.reveal() == "a"

    @pytest.mark.parametrize(
        "there", ["a text", ["a", "list"], [OF_USER], None, 7, True, {}, {"authed_user": OF_USER}, "access_token"]
    )
    def test_what_is_no_object_holds_no_tokens(self, there):
        """Nor does what stands beside it: that is somebody else's, such as a bot's."""
        beside = {"ok": True, **OF_USER, "authed_user": there}
        assert kind_of(answer(beside), LIKE_SLACK, ("authed_user",)) is Uncertain

    def test_they_are_taken_from_nowhere_else(self):
        for_a_bot = answer({"ok": True, **OF_USER, "authed_user": {"id": "U1"}})
        assert kind_of(for_a_bot, LIKE_SLACK, ("authed_user",)) is Uncertain
        assert kind_of(answer({"ok": True, "authed_user": OF_USER | TOKEN}), Wire()) is Uncertain

    @pytest.mark.parametrize("path", [("a", "b"), ("a", "0"), ("a", "b", "c", "d")])
    def test_a_path_that_leads_through_something_else_ends_nowhere(self, path):
        for there in ("text", [TOKEN], {"b": "text"}, {"b": [TOKEN]}, {"b": {"c": TOKEN}}):
            assert kind_of(answer({"a": there}), Wire(), path) is Uncertain

    @pytest.mark.parametrize(
        "body",
        [
            b'{"ok":true,"ok":true,"authed_user":%s}',
            b'{"ok":false,"ok":true,"authed_user":%s}',
            b'{"ok":true,"authed_user":{},"authed_user":%s}',
            b'{"ok":true,"authed_user":{"id":{"x":1,"x":2},"access_token":"a","token_type":"user"}}',
            b'{"ok":true,"authed_user":{"access_token":"a","access_token":"b","token_type":"user"}}',
        ],
    )
    def test_a_member_that_comes_twice_on_any_level_spoils_the_answer(self, body):
        written = body.replace(b"%s", json.dumps(OF_USER).encode())
        assert kind_of(answer(written), LIKE_SLACK, ("authed_user",)) is Uncertain


class TestWhetherItWentWell:
    @pytest.mark.parametrize("ok", ["true", "True", 1, 1.0, [], {}, None, "ok", [True]])
    def test_success_is_true_and_nothing_else(self, ok):
        assert kind_of(answer({"ok": ok, "authed_user": OF_USER}), LIKE_SLACK, ("authed_user",)) is Uncertain

    def test_success_has_to_be_said(self):
        assert kind_of(answer({"authed_user": OF_USER}), LIKE_SLACK, ("authed_user",)) is Uncertain

    @pytest.mark.parametrize(
        ("members", "kind"),
        [
            ({"ok": False}, RequestRefused),
            ({"ok": False, "error": "invalid_refresh_token"}, GrantEnded),
            ({"ok": False, "error": "bad_client_secret"}, ClientRefused),
            ({"ok": False, "error": "ratelimited"}, ProviderBusy),
            ({"ok": True, "error": "invalid_grant"}, GrantEnded),
            ({"ok": True, "error": ["invalid_grant"]}, RequestRefused),
        ],
    )
    def test_an_error_with_200_is_an_error_also_beside_tokens(self, members, kind):
        wire = replace(LIKE_SLACK, client_errors=("bad_client_secret",))
        assert kind_of(answer(members | {"authed_user": OF_USER}), wire, ("authed_user",)) is kind

    def test_another_member_may_say_so(self):
        wire = Wire(success_member="success")
        assert kind_of(answer(TOKEN | {"success": True}), wire) is None
        assert kind_of(answer(TOKEN | {"success": False}), wire) is RequestRefused
        assert kind_of(answer(TOKEN), wire) is Uncertain


class TestTheType:
    @pytest.mark.parametrize("said", [{}, {"token_type": None}, {"token_type": "USER"}, {"token_type": "user"}])
    def test_a_record_may_let_it_be_missing_or_another(self, said):
        members = {"access_token": "a"} | said
        assert kind_of(answer(members), Wire(token_types=("user", ""))) is None
        assert kind_of(answer(members), Wire()) is Uncertain

    @pytest.mark.parametrize("said", ["Bearer", "mac", "DPoP", ["user"], {"user": 1}, 0, False])
    def test_what_the_record_does_not_say_is_refused(self, said):
        assert kind_of(answer({"access_token": "a", "token_type": said}), Wire(token_types=("user", ""))) is Uncertain


class TestTheEnd:
    def test_a_code_may_mean_the_end_to_one_and_a_refused_app_to_others(self):
        said = answer({"error": "unauthorized_client"}, 403)
        assert kind_of(said, Wire(ended_errors=("unauthorized_client",))) is GrantEnded
        assert kind_of(said, Wire()) is ClientRefused

    @pytest.mark.parametrize(
        ("given", "kind"),
        [
            (answer({"error": "whatever"}, 403), GrantEnded),
            (answer({"error": True, "status": 403}, 403), GrantEnded),
            (answer({"error": "unauthorized_client"}, 403), GrantEnded),
            (answer({"error": "invalid_client"}, 403), ClientRefused),
            (answer({"error": "bad_client_secret"}, 403), ClientRefused),
            (answer({"error": "slow_down"}, 403), ProviderBusy),
            (answer({"error": "whatever"}, 400), RequestRefused),
            (answer({"message": "Forbidden"}, 403), RequestRefused),
            (answer(b"<h1>Forbidden</h1>", 403, "text/html"), RequestRefused),
            (answer(b'{"error":"a","error":"b"}', 403), RequestRefused),
            (answer(["error"], 403), RequestRefused),
        ],
    )
    def test_a_status_means_the_end_only_where_the_publisher_itself_says_error(self, given, kind):
        """A proxy's 403 must not cost everybody their consent."""
        assert kind_of(given, Wire(ended_statuses=(403,), client_errors=("bad_client_secret",))) is kind

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_a_server_that_fails_ends_nothing(self, status):
        wire = Wire(ended_errors=("whatever",), ended_statuses=(status,))
        assert kind_of(answer({"error": "whatever"}, status), wire) is Uncertain

    def test_too_many_requests_end_nothing(self):
        wire = Wire(ended_errors=("whatever",), ended_statuses=(429,))
        assert kind_of(answer({"error": "whatever"}, 429), wire) is ProviderBusy

    @pytest.mark.parametrize("error", ["interaction_required", "invalid_grant"])
    def test_entra_wants_the_person(self, error):
        said = {"error": error, "error_codes": [50076], "suberror": "basic_action", "error_description": "AADSTS50076"}
        assert kind_of(answer(said, 400), Wire()) is GrantEnded


@pytest.mark.parametrize(
    ("said", "seconds"),
    [({}, 7200), ({"expires_in": None}, 7200), ({"expires_in": 300}, 300), ({"expires_in": "9"}, 60)],
)
def test_a_life_that_is_not_said_is_the_one_that_the_record_knows(said, seconds):
    assert token_answers.read(answer(TOKEN | said), Wire(expires_default=7200)).expires_in == seconds


@pytest.mark.parametrize("said", [-1, True, "soon", [300], 1.5])
def test_an_odd_life_is_not_replaced_by_the_known_one(said):
    assert kind_of(answer(TOKEN | {"expires_in": said}), Wire(expires_default=7200)) is Uncertain


# What is sent


@pytest.fixture
def fake(request) -> Iterator[FakePublisher]:
    with running(FAKES[request.param]) as fake:
        yield fake


def with_a(*slugs: str):
    return pytest.mark.parametrize("fake", slugs, indirect=True)


@pytest.fixture
def client_of(monkeypatch):
    """Our side at a fake; `wire` and `record` are what its record says otherwise, `terms` what they do."""

    def made(fake: FakePublisher, *, wire: dict | None = None, record: dict | None = None, **terms) -> Client:
        known = replace(record_at(fake), **(record or {}))
        monkeypatch.setitem(PUBLISHERS, fake.slug, replace(known, wire=replace(known.wire, **(wire or {}))))
        app = fake.register(REDIRECT_URI)
        chosen = terms_of(known, app.client_id)
        chosen["refresh_url"] = chosen.get("refresh_url") or chosen["token_url"]
        usual = Terms(redirect_uri=REDIRECT_URI, endpoints=("https://agent.example/a2a",), **chosen)
        return Client(replace(usual, **terms), Secret(app.client_secret))

    return made


def authorized(client: Client) -> tuple[httpx.Response, str]:
    verifier = oauth2.new_verifier()
    return httpx.get(oauth2.authorization_address(client.terms, "the-state", verifier)), verifier


def exchanged(client: Client) -> oauth2.Tokens:
    back, verifier = authorized(client)
    assert back.status_code == 302, back.text
    return oauth2.exchange(client, query_of(back.headers["location"])["code"], verifier)


@with_a("slack")
def test_scopes_go_in_the_parameter_and_with_the_separator_of_the_publisher(fake, client_of):
    client = client_of(fake)
    exchanged(client)
    [asked] = fake.calls("authorization")
    assert asked.query["user_scope"].split(",") == list(client.terms.scopes) and len(client.terms.scopes) > 1
    assert "scope" not in asked.query


@with_a("atlassian")
@pytest.mark.parametrize("body", ["form", "json"])
def test_a_body_is_a_form_or_json(fake, client_of, body):
    client = client_of(fake, wire={"body": body})
    oauth2.refresh(client, exchanged(client).refresh)

    for call in fake.calls("token"):
        assert call.kind == {"form": "application/x-www-form-urlencoded", "json": "application/json"}[body]
        assert call.body["client_secret"] == client.secret.reveal()
        assert call.received.header("accept") == ["application/json"]
    assert [call.body["grant_type"] for call in fake.calls("token")] == ["authorization_code", "refresh_token"]


@with_a("google")
def test_more_parameters_and_headers_go_along_and_change_nothing_of_ours(fake, client_of):
    evil = {"code": "evil", "grant_type": "evil", "refresh_token": "evil", "client_id": "evil"}
    wire = {
        "exchange_params": evil | {"type": "web_server"},
        "refresh_params": evil | {"type": "refresh"},
        "token_headers": {"User-Agent": "Gatehouse of Contoso", "X-Version": "2"},
    }
    client = client_of(fake, wire=wire)
    exchange = exchanged(client)
    oauth2.refresh(client, exchange.refresh)

    code, refresh = (fake.calls("token")[number] for number in (0, 1))
    assert (code.body["type"], refresh.body["type"]) == ("web_server", "refresh")
    assert refresh.body["refresh_token"] == exchange.refresh.reveal()
    for call in (code, refresh):
        assert (call.header("user-agent"), call.header("x-version")) == ("Gatehouse of Contoso", "2")
        assert call.body["client_id"] == client.terms.client_id


@with_a("google")
def test_what_a_record_adds_to_the_authorization_request_changes_nothing_of_ours(fake, client_of):
    evil = {"state": "evil", "redirect_uri": "https://evil.example", "client_id": "evil", "code_challenge": "evil"}
    client = client_of(fake, record={"authorize_params": evil | {"access_type": "offline"}})
    exchanged(client)
    [asked] = fake.calls("authorization")
    assert (asked.query["state"], asked.query["access_type"]) == ("the-state", "offline")
    assert asked.query["client_id"] == client.terms.client_id


@with_a("atlassian")
def test_a_record_may_name_the_audience_and_a_connection_may_not(fake, client_of):
    client = client_of(fake, extra={"audience": "evil", "prompt": "none"})
    exchanged(client)
    [asked] = fake.calls("authorization")
    assert (asked.query["audience"], asked.query["prompt"]) == ("api.atlassian.com", "consent")
    assert "audience" not in fake.calls("code")[0].body


def test_nobody_chooses_a_publisher_by_the_form_of_a_custom_app():
    entered = {"authorization_url": "https://login.example/a", "token_url": "https://login.example/t"}
    form = OAuthSettings(entered | {"publisher": "github"})
    assert "publisher" not in form.fields
    form.is_valid()
    assert "publisher" not in form.cleaned_data


# A request that the real one would refuse is refused: the record's quirks are all needed


@pytest.mark.parametrize(
    ("fake", "wire", "record", "kind"),
    [
        ("slack", {"token_path": ()}, {}, Uncertain),
        ("slack", {"token_types": ("bearer",)}, {}, Uncertain),
        ("github", {"token_headers": {"Accept": "*/*"}}, {}, Uncertain),
        ("github", {}, {"client_auth": "basic"}, ClientRefused),
        ("figma", {}, {"client_auth": "post"}, RequestRefused),
        ("google", {"body": "json"}, {}, RequestRefused),
    ],
    indirect=["fake"],
)
def test_without_its_quirk_no_tokens_come(fake, client_of, wire, record, kind):
    if fake.slug == "figma":
        wire = {"ended_statuses": ()}
    with pytest.raises(kind):
        exchanged(client_of(fake, wire=wire, record=record))


@pytest.mark.parametrize(
    ("fake", "wire", "record", "terms"),
    [
        ("slack", {"scope_parameter": "scope"}, {}, {}),
        ("slack", {"scope_separator": " "}, {}, {}),
        ("atlassian", {}, {"authorize_params": {"prompt": "consent"}}, {}),
        ("microsoft", {}, {}, {"resource": "https://agent.example"}),
        ("google", {}, {}, {"redirect_uri": "https://evil.example"}),
        ("salesforce", {"scope_separator": ","}, {}, {}),
    ],
    indirect=["fake"],
)
def test_without_its_quirk_nobody_is_sent_back(fake, client_of, wire, record, terms):
    shown, _ = authorized(client_of(fake, wire=wire, record=record, **terms))
    assert shown.status_code == 400


@with_a("figma")
def test_figma_refreshes_at_its_own_address_alone(fake, client_of):
    client = client_of(fake)
    tokens = exchanged(client)
    assert oauth2.refresh(client, tokens.refresh).refresh is None
    elsewhere = replace(client, terms=replace(client.terms, refresh_url=client.terms.token_url))
    with pytest.raises((GrantEnded, RequestRefused)):
        oauth2.refresh(elsewhere, tokens.refresh)
    assert len(fake.calls("refresh")) == 2


@with_a(*sorted(FAKES))
def test_a_code_counts_once_and_only_with_its_verifier(fake, client_of):
    client = client_of(fake, record={"pkce": "S256"})
    back, verifier = authorized(client)
    code = query_of(back.headers["location"])["code"]
    oauth2.exchange(client, code, verifier)
    with pytest.raises((GrantEnded, RequestRefused)):
        oauth2.exchange(client, code, verifier)
    back, _ = authorized(client)
    with pytest.raises((GrantEnded, RequestRefused)):
        oauth2.exchange(client, query_of(back.headers["location"])["code"], oauth2.new_verifier())


# How they are told


@with_a("github")
def test_github_is_told_of_one_access_token_by_its_rest_api(fake, client_of):
    client = client_of(fake)
    access = exchanged(client).access
    assert revoking.kinds(client.terms) == ("access_token",)
    assert revoking.revoke(client, access, "access_token") is True
    assert fake.verify(access.reveal()) is None
    [call] = fake.calls("revocation")
    assert call.received.method == "DELETE" and call.body == {"access_token": access.reveal()}
    assert call.basic == (client.terms.client_id, client.secret.reveal())


@with_a("github")
def test_github_says_404_of_what_it_does_not_know_be_it_token_or_app(fake, client_of):
    client = client_of(fake)
    access = exchanged(client).access
    assert revoking.revoke(client, Secret("unknown"), "access_token") is False
    assert revoking.revoke(replace(client, secret=Secret("wrong")), access, "access_token") is False
    assert revoking.revoke(replace(client, secret=None), access, "access_token") is None
    assert fake.verify(access.reveal())


@with_a("slack")
@pytest.mark.parametrize(
    ("members", "status", "said"),
    [
        ({"ok": True, "revoked": True}, 200, True),
        ({"ok": True, "revoked": False}, 200, False),
        ({"ok": True, "revoked": "true"}, 200, False),
        ({"ok": True}, 200, False),
        (["revoked"], 200, False),
        ({"ok": True, "revoked": True}, 500, False),
        ({"ok": False, "error": "invalid_auth"}, 200, False),
        ({"ok": False, "error": "token_revoked"}, 200, True),
        ({"ok": False, "error": "account_inactive"}, 200, True),
        ({"ok": False, "error": "token_expired"}, 200, None),
        ({"ok": False, "error": ["token_revoked"]}, 200, False),
    ],
)
def test_slack_confirms_it_by_revoked_alone(fake, client_of, members, status, said):
    client = client_of(fake)
    fake.next(bad.answers(members, status), at="revocation")
    assert revoking.revoke(client, Secret("canary-token"), "access_token") is said
    [call] = fake.calls("revocation")
    assert call.bearer == "canary-token" and call.received.body == b""


@with_a("google", "salesforce")
@pytest.mark.parametrize(
    ("members", "status", "said"),
    [
        ({}, 200, True),
        ({"error": "invalid_token"}, 400, True),
        ({"error": "invalid_token"}, 401, False),
        ({"error": "invalid_request"}, 400, False),
        ({"error": "unsupported_token_type"}, 400, None),
        ({"error": ["invalid_token"]}, 400, False),
    ],
)
def test_google_and_salesforce_are_told_by_the_token_alone(fake, client_of, members, status, said):
    client = client_of(fake)
    fake.next(bad.answers(members, status), at="revocation")
    assert revoking.revoke(client, Secret("canary-token"), "refresh_token") is said
    [call] = fake.calls("revocation")
    assert call.body == {"token": "canary-token"} and call.received.header("authorization") == []


@with_a("slack", "github", "google")
@pytest.mark.parametrize("fault", [bad.drop(), bad.fails(503), bad.too_many()], ids=["dropped", "503", "429"])
def test_who_fails_is_told_again(fake, client_of, fault):
    fake.next(fault, at="revocation")
    assert revoking.revoke(client_of(fake), Secret("any"), "access_token") is False


@with_a("microsoft")
def test_where_there_is_no_way_nobody_is_told(fake, client_of):
    terms = replace(client_of(fake).terms, revocation_url="https://login.example/revoke")
    assert terms.can_be_told is False and revoking.kinds(terms) == ()


def test_a_custom_app_is_told_as_rfc_7009_has_it_where_it_has_an_address():
    terms = Terms("https://a.example", "https://a.example", "https://a.example", "c", REDIRECT_URI, ())
    assert terms.can_be_told is False
    terms = replace(terms, revocation_url="https://a.example/revoke")
    assert terms.can_be_told is True and revoking.kinds(terms) == ("refresh_token", "access_token")


# Whose account it is


@with_a(*sorted(FAKES))
def test_the_account_is_read_where_the_publisher_names_it(fake, client_of):
    client = client_of(fake)
    assert "octo-ben" in oauth2.name_in(oauth2.userinfo(client.terms, exchanged(client).access))
