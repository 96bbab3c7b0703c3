"""`create_owner` and `new_key`."""

import re

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import Client

from portal.audit import events
from portal.audit.models import LogRow
from portal.projects.access import access_of
from portal.projects.roles import Role
from portal.users import User
from portal.vault import KeyRing
from tests import factories

EMAIL = "olive@contoso.example"
PASSWORD = "seven quiet lanterns"


def _link(capsys, *args: str) -> str:
    call_command("create_owner", *args)
    return re.search(r"http://localhost:8000(/accounts/password/reset/key/\S+)", capsys.readouterr().out)[1]


def _set_password(link: str, password: str = PASSWORD):
    client = Client()
    form = client.get(link, follow=True)
    if not form.redirect_chain:
        return form
    return client.post(form.redirect_chain[-1][0], {"password1": password, "password2": password})


def test_the_link_makes_an_owner_who_can_sign_in(db, capsys):
    link = _link(capsys, EMAIL, "--name", "Olive Owner")
    owner = User.objects.get(email=EMAIL)
    assert owner.name == "Olive Owner" and not owner.has_usable_password()
    assert set(access_of(owner, None).roles) == {Role.OWNER, Role.AI_OWNER}
    assert _set_password(link).status_code == 302
    client = Client()
    assert client.post("/accounts/login/", {"login": EMAIL, "password": PASSWORD}).status_code == 302
    assert client.get("/access-control/").status_code == 200


def test_the_link_works_once(db, capsys):
    link = _link(capsys, EMAIL)
    _set_password(link)
    _set_password(link, "another long enough one")
    assert User.objects.get(email=EMAIL).check_password(PASSWORD)


def test_it_is_logged_without_the_link(db, capsys):
    link = _link(capsys, EMAIL)
    row = LogRow.objects.get(event=events.OWNER_CREATED.tag)
    assert row.actor_name == "Command line" and EMAIL in row.details
    assert not LogRow.objects.filter(details__contains=link.split("-")[-1].strip("/")).exists()


def test_an_owner_with_a_password_is_left_alone_unless_again(db, capsys):
    _set_password(_link(capsys, EMAIL))
    with pytest.raises(CommandError, match="--again"):
        call_command("create_owner", EMAIL)
    assert _set_password(_link(capsys, EMAIL.upper(), "--again"), "another long enough one").status_code == 302
    assert User.objects.get(email=EMAIL).check_password("another long enough one")


def test_a_known_person_keeps_the_password(db, capsys):
    person = factories.make_user("Ben Okafor", email=EMAIL)
    call_command("create_owner", EMAIL)
    assert "keeps the password" in capsys.readouterr().out
    assert Role.OWNER in access_of(person, None).roles


@pytest.mark.parametrize("email", ["nonsense", "a@b", ""])
def test_what_is_no_address_is_refused(db, email):
    with pytest.raises(CommandError, match="not an e-mail address"):
        call_command("create_owner", email)


def test_a_deactivated_person_is_not_made_owner(db):
    factories.make_user("Gone Away", email=EMAIL, is_active=False)
    with pytest.raises(CommandError, match="deactivated"):
        call_command("create_owner", EMAIL)


def test_a_new_key_serves_in_the_ring(capsys):
    call_command("new_key", "k9")
    printed = capsys.readouterr().out.strip()
    ring = KeyRing(printed)
    assert ring.current == "k9"
    assert ring.unwrap(*ring.wrap(b"x")) == b"x"
    Fernet(printed.partition(":")[2])


def test_a_key_id_that_would_break_the_list_is_refused():
    with pytest.raises(CommandError, match="letters"):
        call_command("new_key", "a,b")
