"""A page that has something for the queue, and a broker that accepts and never answers (F06)."""

import re
import time

import httpx
import pytest
from django.conf import settings

from connections.methods.base import Caller
from consent import flow
from consent.models import ConsentRequest
from tests import factories, queue
from tests.consent import making
from tests.fakes.server import serve_raw
from tests.journeys.conftest import _await, _free_url, _process, _web

pytestmark = pytest.mark.django_db(transaction=True)


async def never_answers(reader, writer) -> None:
    while await reader.read(65_536):
        pass


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_never_answers_does_not_hold_up_a_page(scheme, project, ana, ben, browse, tmp_path):
    agent = factories.make_agent(project, "release-bot", registered_by=ana)
    links = [f"/consent/{flow.ask(making.make_connection(project, agent), Caller(agent, ben)).id}" for _ in range(2)]
    url = _free_url()
    with serve_raw(never_answers) as silent:
        broker = f"{scheme}://127.0.0.1:{silent.port}"
        environment = queue.Queue(tmp_path).environment | {"CELERY_BROKER_URL": broker, "PUBLIC_URL": url}
        with _process(_web(url), environment):
            _await(f"{url}/readyz")
            cookies = {settings.SESSION_COOKIE_NAME: browse(ben).cookies[settings.SESSION_COOKIE_NAME].value}
            with httpx.Client(base_url=url, cookies=cookies, timeout=30) as person:
                took = [_say_not_asked(person, link) for link in links]

    assert max(took) < 3
    assert ConsentRequest.objects.filter(state="not_asked").exclude(tell_at=None).count() == 2, "a sweep will find it"


def _say_not_asked(person: httpx.Client, link: str) -> float:
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', person.get(link).text)[1]
    began = time.monotonic()
    answer = person.post(link, data={"decision": "not_asked", "csrfmiddlewaretoken": token})
    assert answer.status_code == 302
    return time.monotonic() - began
