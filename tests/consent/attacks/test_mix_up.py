"""Cross-tool account takeover, request forgery and mix-up: an answer counts only where its flow began (T16)."""

import httpx
import pytest

from consent.models import ConsentRequest, Grant
from consent.terms import redirect_uri
from tests.consent import making
from tests.consent.attacks.stage import PROVIDER, Stage, arrive, at_the_provider, doubled, leave, refused_page
from tests.fakes.misbehaviour import callback
from tests.fakes.signing_in import query_of

FOREIGN = "This sign-in was begun for another connection"
ISSUER = "The answer came from another provider than expected"
CONFUSED = [{"iss": "https://evil.example"}, {"iss": None}, {"iss": ""}]


@pytest.fixture
def named(stage) -> Stage:
    """A connection that names its issuer."""
    connection = stage.another(issuer=stage.provider.at.issuer)
    return Stage(stage.provider, connection, stage.agent)


@pytest.fixture
def evil(stage, evil_provider):
    """A provider in bad faith beside the honest one, and a connection that somebody made for it."""
    return evil_provider(stage.provider)


def trap(stage: Stage, evil, authorization_url: str, **settings) -> Stage:
    settings |= {"authorization_url": authorization_url, "token_url": evil.token, "revocation_url": ""}
    settings |= {"userinfo_url": "", "client_auth": "none", "client_id": "evil-client"}
    connection = making.make_connection(
        stage.connection.project, stage.agent, secret="", name="free-emojis", settings=settings
    )
    return Stage(stage.provider, connection, stage.agent)


def bounced(address: str) -> str:
    """The honest provider's address that the malicious one leads to."""
    return httpx.get(address).headers["location"]


# Answers at another connection's address


def test_the_answer_of_one_connection_is_refused_at_the_address_of_another(stage, ben, bens):
    other = stage.another()
    back = at_the_provider(leave(bens, stage.link(ben)))
    with stage.refuses("consent_answer_foreign", by=ben):
        assert refused_page(arrive(bens, back, at=other), FOREIGN)


def test_the_state_of_a_second_flow_is_refused_at_the_address_of_the_first(stage, ben, bens):
    """Both flows are the same user's and open in the same browser."""
    second = Stage(stage.provider, stage.another(), stage.agent)
    back = at_the_provider(leave(bens, stage.link(ben)))
    state = query_of(leave(bens, second.link(ben)))["state"]
    with stage.refuses("consent_answer_foreign", by=ben):
        assert arrive(bens, back, state=state).status_code == 400


def test_an_answer_at_a_connection_that_does_not_exist_is_refused(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    nowhere = back.replace(str(stage.connection.id), "00000000-0000-4000-8000-000000000000")
    with stage.refuses("consent_answer_foreign", by=ben):
        assert arrive(bens, nowhere).status_code == 400


@pytest.mark.parametrize("decision", ["code", "error"])
def test_also_an_error_of_another_connection_ends_no_flow(stage, ben, bens, decision):
    other = stage.another()
    back = at_the_provider(leave(bens, stage.link(ben)), deny=decision == "error")
    with stage.refuses("consent_answer_foreign", by=ben):
        arrive(bens, back, at=other)


# A malicious provider


def test_a_malicious_provider_that_bounces_to_an_honest_one_gets_no_code_of_it(stage, evil, ben, bens):
    """The honest provider sends the code to the address of its own connection, where the state is a stranger's."""
    honest = stage.connection
    bounce = evil.bouncing(honest.settings["client_id"], redirect_uri(honest.id), " ".join(honest.settings["scopes"]))
    tricked = trap(stage, evil, bounce)
    back = at_the_provider(bounced(leave(bens, tricked.link(ben))))
    assert f"/callback/{honest.id}?" in back
    with stage.refuses("consent_answer_foreign", by=ben):
        assert refused_page(arrive(bens, back), FOREIGN)
    assert evil.stolen == []


def test_a_bounced_code_carried_on_to_the_trap_by_hand_is_worth_nothing_to_its_owner(stage, evil, ben, bens):
    """The attacker's token URL gets the code; the honest provider refuses it without that client's redirect URI."""
    honest = stage.connection
    bounce = evil.bouncing(honest.settings["client_id"], redirect_uri(honest.id), " ".join(honest.settings["scopes"]))
    tricked = trap(stage, evil, bounce)
    back = at_the_provider(bounced(leave(bens, tricked.link(ben))))
    arrive(bens, back, at=tricked.connection)
    assert evil.redeem(honest.settings["client_id"], redirect_uri(honest.id)).status_code in (400, 401)
    assert not Grant.objects.filter(connection=honest).exists()
    # What the trap gave is the trap's own token, bound to the trap's endpoint.
    assert Grant.objects.get().connection == tricked.connection


def test_an_honest_provider_does_not_take_the_traps_own_address(stage, evil, ben, bens):
    tricked = trap(stage, evil, evil.bouncing(stage.connection.settings["client_id"]))
    with pytest.raises(AssertionError, match="Redirect URI"):
        at_the_provider(bounced(leave(bens, tricked.link(ben))))
    assert not Grant.objects.exists()


def test_a_bounced_answer_is_refused_by_its_issuer_where_the_trap_names_one(stage, evil, ben, bens):
    honest = stage.connection
    bounce = evil.bouncing(honest.settings["client_id"], redirect_uri(honest.id), " ".join(honest.settings["scopes"]))
    tricked = trap(stage, evil, bounce, issuer=evil.issuer)
    back = at_the_provider(bounced(leave(bens, tricked.link(ben))))
    with tricked.refuses("issuer_mismatch", by=ben):
        assert refused_page(arrive(bens, back, at=tricked.connection), ISSUER)
    assert evil.stolen == []


def test_a_provider_that_replays_the_state_of_another_person_is_refused(stage, evil, ben, bens, chloe, chloes):
    tricked = trap(stage, evil, evil.replaying)
    at_the_provider(leave(bens, tricked.link(ben)))
    back = at_the_provider(leave(chloes, tricked.link(chloe)))
    with tricked.refuses("consent_wrong_person", by=chloe):
        assert arrive(chloes, back).status_code == 403
    assert evil.stolen == []


def test_a_provider_that_replays_an_older_state_of_the_same_person_is_refused(stage, evil, ben, bens):
    tricked = trap(stage, evil, evil.replaying)
    asking = tricked.link(ben)
    at_the_provider(leave(bens, asking))
    back = at_the_provider(leave(bens, asking))
    with tricked.refuses("consent_answer_unknown", by=ben):
        assert refused_page(arrive(bens, back), "This sign-in is not known here")
    assert evil.stolen == []


# The issuer (RFC 9207)


def test_the_right_issuer_is_let_in(named, ben, bens):
    arrive(bens, at_the_provider(leave(bens, named.link(ben))))
    assert Grant.objects.get().connection == named.connection


@pytest.mark.parametrize("lie", CONFUSED, ids=["wrong", "missing", "empty"])
def test_a_wrong_or_missing_issuer_is_refused(named, ben, bens, lie):
    named.provider.next(callback(**lie), at="callback")
    back = at_the_provider(leave(bens, named.link(ben)))
    with named.refuses("issuer_mismatch", by=ben):
        answer = arrive(bens, back)
        assert refused_page(answer, ISSUER)
    assert "evil.example" not in answer.content.decode()


@pytest.mark.parametrize("lie", CONFUSED, ids=["wrong", "missing", "empty"])
def test_a_wrong_or_missing_issuer_is_refused_in_an_error_as_well(named, ben, bens, lie):
    back = at_the_provider(leave(bens, named.link(ben)), deny=True)
    with named.refuses("issuer_mismatch", by=ben):
        assert arrive(bens, back, **lie).status_code == 400


@pytest.mark.parametrize("change", [str.upper, lambda issuer: f"{issuer}/", lambda issuer: f"{issuer} "])
def test_an_issuer_is_compared_letter_by_letter(named, ben, bens, change):
    """RFC 9207 2.4: simple string comparison."""
    back = at_the_provider(leave(bens, named.link(ben)))
    with named.refuses("issuer_mismatch", by=ben):
        arrive(bens, back, iss=change(named.provider.at.issuer))


@pytest.mark.parametrize("where", ["named", "unnamed"])
@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_a_parameter_that_comes_twice_is_refused(stage, named, ben, bens, where, name):
    """The first for a proxy or a log, the last for us: nobody may choose which one counts (RFC 6749 3.1)."""
    used = named if where == "named" else stage
    back = at_the_provider(leave(bens, used.link(ben)))
    same = query_of(back).get(name, "access_denied")
    if name == "error":
        back += "&error=server_error"
    with used.refuses("provider_failed", by=ben):
        assert bens.get(doubled(back, **{name: same})).status_code == 400


def test_of_two_states_none_is_believed(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    with stage.refuses("consent_answer_unknown", by=ben):
        assert bens.get(doubled(back, state="made-up")).status_code == 400


def test_an_answer_without_code_and_error_ends_the_flow_and_not_the_link(stage, ben, bens):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    with stage.refuses("provider_failed", by=ben, event=PROVIDER, ends_flow=True):
        answer = arrive(bens, back, code=None)
    assert answer.url == f"/consent/{asking.id}/refused"
    assert ConsentRequest.objects.get(pk=asking.pk).is_live


def test_a_code_beside_an_error_is_not_exchanged(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    with stage.refuses("provider_denied", by=ben, event=PROVIDER, ends_flow=True):
        arrive(bens, back, error="access_denied")
