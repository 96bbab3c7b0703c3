"""A probe of OAuth identity passthrough: server and card, and the state of what people gave."""

import pytest

from connections.models import Health
from consent.models import Grant
from tests.connections.pages import page, words_of
from tests.connections.scheduled import Answering, probe_all
from tests.consent import making
from tests.fakes.server import serve

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_card_is_read_no_grant_is_used_and_their_state_is_shown(browse, ana, ben, chloe, project, release_bot):
    app = Answering()
    with serve(app, lifespan="off") as at:
        review = making.make_connection(project, release_bot, name="review-agent", endpoint=f"{at.url}/a2a")
        making.make_grant(review, release_bot, ben)
        making.make_grant(review, release_bot, chloe, state=Grant.State.NEEDS_CONSENT)
        probe_all()
    assert (app.calls, app.cards) == (0, 1)
    health = Health.objects.get(connection=review)
    assert (health.state, health.reason) == ("healthy", "test_needs_agent")
    words = words_of(browse(ana).get(page("connection-probes", project, "review-agent")))
    assert "1 person connected, 1 needs consent again" in words
    assert "Not tried: it belongs to agents or users" in words
    checks = words_of(browse(ana).get(page("connection", project, "review-agent")))
    assert "can't be tested without an agent" in checks
