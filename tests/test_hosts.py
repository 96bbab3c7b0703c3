"""No page is served, and no link made, under a name that is not the portal's (T37)."""

import pytest
from django.test import Client

from portal.projects.invitations import invite
from portal.projects.roles import Role


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost,evil.example", "evil@localhost"])
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/healthz", "/invitations/x/"])
def test_another_host_gets_400(host, path, db):
    assert Client(HTTP_HOST=host).get(path).status_code == 400


def test_a_forwarded_host_changes_nothing(ben, browse):
    client = browse(ben)
    answer = client.get("/", HTTP_X_FORWARDED_HOST="evil.example")
    assert answer.status_code == 200 and b"evil.example" not in answer.content


def test_an_invitations_link_is_built_from_the_public_url(project, ana, browse):
    _, link = invite("new@contoso.example", Role.READER, project, ana)
    page = browse(ana).post(
        f"/projects/{project.name}/access-control/invitations/new/",
        {"email": "other@contoso.example", "role": "reader", "scope": "project"},
        HTTP_HOST="localhost:6666",
    )
    assert link.startswith("http://localhost:8000/")
    assert "6666" not in page.content.decode()
