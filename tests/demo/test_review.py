"""The demo's review agent acts as the account whose token comes, and the demo's provider gives such tokens."""

from collections.abc import Iterator

import httpx
import pytest
from a2a.types import GetTaskRequest
from a2a.utils.errors import TaskNotFoundError

from demo.authorization_server import Provider
from demo.cards import SPELLINGS
from demo.endpoint import demo_agents, demo_endpoint, endpoint, review_agent
from tests.fakes.authorization_server import FakeProvider
from tests.fakes.server import listening_socket, serve, url_of
from tests.fakes.signing_in import tokens_for
from tests.fakes.stock_client import send, with_client

in_all_spellings = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)


@pytest.fixture(scope="module")
def demo() -> Iterator[FakeProvider]:
    """The demo's endpoint, seen as its provider; the issuer's origin is the endpoint's."""
    sock = listening_socket()
    provider = Provider(f"{url_of(sock)}/provider")
    agents = [*demo_agents(url_of(sock), "key"), review_agent(url_of(sock), provider)]
    with serve(endpoint(agents, provider), at=sock):
        yield FakeProvider(provider)


def ask(demo, spelling, account, question, scope="", **options):
    token = tokens_for(demo, demo.register(), account, scope)["access_token"]
    [event] = send(f"{demo.at.origin}/review", spelling, question, headers=bearer(token), **options)
    return event.task


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def text_of(task):
    return "\n".join(part.text for artifact in task.artifacts for part in artifact.parts)


@in_all_spellings
def test_each_account_sees_its_own_reviews(demo, spelling):
    bens = text_of(ask(demo, spelling, "octo-ben", "What waits for my review?"))
    assert bens.startswith("As octo-ben: 3 pull requests wait for your review.\n- octo/portal#12 ")
    chloes = text_of(ask(demo, spelling, "octo-chloe", "What waits for my review?"))
    assert chloes.startswith("As octo-chloe: 2 pull requests wait for your review.")


def test_a_comment_needs_the_scope_for_it(demo):
    question = "Comment on octo/portal#12: looks good"
    done = ask(demo, SPELLINGS[0], "octo-ben", question)
    assert text_of(done).startswith("As octo-ben: I commented on octo/portal#12 Rotate keys")
    refused = ask(demo, SPELLINGS[0], "octo-ben", question, scope="reviews:read")
    assert text_of(refused).startswith("As octo-ben: I may read, but not comment.")


def test_one_accounts_task_is_not_there_for_the_other(demo):
    task = ask(demo, SPELLINGS[0], "octo-ben", "What waits?")
    other = tokens_for(demo, demo.register(), "octo-chloe")["access_token"]

    async def read(client):
        return await client.get_task(GetTaskRequest(id=task.id))

    with pytest.raises(TaskNotFoundError):
        with_client(f"{demo.at.origin}/review", SPELLINGS[0], read, headers=bearer(other))


def test_without_a_token_that_lives_and_suffices_nobody_gets_in(demo):
    url = f"{demo.at.origin}/review"
    nothing = httpx.post(url, json={})
    assert (nothing.status_code, nothing.headers["www-authenticate"]) == (401, 'Bearer realm="review"')
    wrong = httpx.post(url, json={}, headers=bearer("wrong"))
    assert (wrong.status_code, 'error="invalid_token"' in wrong.headers["www-authenticate"]) == (401, True)
    narrow = tokens_for(demo, demo.register(), scope="profile")["access_token"]
    refused = httpx.post(url, json={}, headers=bearer(narrow))
    assert refused.status_code == 403
    assert 'error="insufficient_scope", scope="reviews:read"' in refused.headers["www-authenticate"]
    twice = httpx.post(url, json={}, headers=[("authorization", "Bearer a"), ("authorization", "Bearer b")])
    assert twice.status_code == 400


def test_its_card_is_public_and_leads_to_the_provider(demo):
    card = httpx.get(f"{demo.at.origin}/review/.well-known/agent-card.json").json()
    scheme = card["securitySchemes"]["octo"]["oauth2SecurityScheme"]
    flow = scheme["flows"]["authorizationCode"]
    assert (flow["authorizationUrl"], flow["tokenUrl"]) == (demo.at.authorize, demo.at.token)
    assert set(flow["scopes"]) == {"reviews:read", "reviews:comment"}
    assert flow["pkceRequired"] is True
    assert httpx.get(scheme["oauth2MetadataUrl"]).json()["issuer"] == demo.at.issuer
    assert card["securityRequirements"] == [{"schemes": {"octo": {"list": ["reviews:read"]}}}]


def test_the_whole_endpoint_keeps_its_registrations_over_a_restart(tmp_path):
    file = tmp_path / "provider.json"
    sock = listening_socket()
    origin = url_of(sock)
    with serve(demo_endpoint(origin, "key", file), at=sock):
        made = httpx.post(f"{origin}/provider/register", json={"redirect_uris": ["http://localhost:8000/callback"]})
        client = made.json()
    sock = listening_socket()
    origin = url_of(sock)
    with serve(demo_endpoint(origin, "key", file), at=sock):
        form = {"grant_type": "refresh_token", "refresh_token": "none"}
        pair = (client["client_id"], client["client_secret"])
        answer = httpx.post(f"{origin}/provider/token", data=form, auth=pair)
        assert answer.json()["error"] == "invalid_grant"  # the client is known, the token is not
