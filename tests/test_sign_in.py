"""Signing in and out through allauth, as the portal sets it up (T22, T23, T37)."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client, override_settings

from portal.audit import events
from portal.audit.models import LogRow
from portal.users import User
from tests.factories import PASSWORD

LOGIN = "/accounts/login/"
NEW_PASSWORD = "seven quiet lanterns"


def _sign_in(client: Client, email: str, password: str = PASSWORD, **extra):
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def _tags() -> list[str]:
    return list(LogRow.objects.order_by("id").values_list("event", flat=True))


def test_signing_in_leads_home_under_a_new_session_and_is_logged(ben):
    client = Client()
    client.get(LOGIN)
    client.session.save()
    before = client.session.session_key
    answer = _sign_in(client, "Ben.Okafor@Contoso.example")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session.session_key != before
    row = LogRow.objects.get()
    assert (row.event, row.actor_id, row.project_id) == (events.SIGNED_IN.tag, ben.id, None)


def test_a_failed_sign_in_is_logged_with_the_address_and_never_the_password(ben):
    _sign_in(Client(), ben.email, "not my password")
    row = LogRow.objects.get()
    assert (row.event, row.outcome, row.actor_kind) == (events.SIGN_IN_FAILED.tag, "failed", "nobody")
    assert ben.email in row.details and "not my password" not in row.details


def test_a_typed_address_is_cut_and_may_hold_anything(db):
    _sign_in(Client(), "a" * 300 + "@x.example", "nothing")
    _sign_in(Client(), "n\0ul@x.example", "nothing")
    assert all(len(row.details) < 400 for row in LogRow.objects.all())


def test_an_unknown_and_a_known_address_get_the_same_answer(ben):
    known, unknown = (_sign_in(Client(), email, "wrong wrong wrong") for email in (ben.email, "nobody@contoso.example"))
    scrub = re.compile(r'value="[^"]*"|req_\w+')
    assert known.status_code == unknown.status_code
    assert scrub.sub("", known.content.decode()) == scrub.sub("", unknown.content.decode())


def test_a_deactivated_person_does_not_get_in(ben):
    User.objects.filter(pk=ben.pk).update(is_active=False)
    client = Client()
    assert _sign_in(client, ben.email)["Location"] == "/accounts/inactive/"
    assert client.get("/").status_code == 302
    assert client.get("/accounts/inactive/").status_code == 200
    assert _tags() == [events.SIGN_IN_FAILED.tag]


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(target, ben):
    client = Client()
    answer = client.post(LOGIN, {"login": ben.email, "password": PASSWORD, "next": target})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_signing_out_takes_a_post_and_a_copied_cookie_is_worth_nothing_after(ben, browse):
    client, copy = browse(ben), Client()
    copy.cookies["session"] = client.cookies["session"].value
    client.get("/accounts/logout/")
    assert copy.get("/").status_code == 200
    client.post("/accounts/logout/")
    assert copy.get("/").status_code == 302


def test_changing_the_password_ends_the_other_sessions_and_is_logged(ben, browse):
    client, other = Client(), browse(ben)
    _sign_in(client, ben.email)
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert client.post("/accounts/password/change/", form).status_code == 302
    assert other.get("/").status_code == 302
    ben.refresh_from_db()
    assert ben.check_password(NEW_PASSWORD)
    assert events.PASSWORD_CHANGED.tag in _tags()


def test_a_weak_new_password_is_refused(ben):
    client = Client()
    _sign_in(client, ben.email)
    answer = client.post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": "password", "password2": "password"}
    )
    assert answer.status_code == 200 and "too short" in answer.content.decode()


def test_a_reset_mail_leads_to_the_portals_own_address(ben):
    Client().post("/accounts/password/reset/", {"email": ben.email}, HTTP_HOST="localhost:6666")
    link = re.search(r"http://\S+", mail.outbox[0].body)[0]
    assert link.startswith("http://localhost:8000/accounts/password/reset/key/")
    assert "6666" not in mail.outbox[0].body + mail.outbox[0].subject
    client = Client()
    page = client.get(link.removeprefix("http://localhost:8000"), follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    ben.refresh_from_db()
    assert ben.check_password(NEW_PASSWORD)
    assert _tags() == [events.PASSWORD_CHANGED.tag]


def test_nobody_unknown_gets_a_mail(db):
    known = Client().post("/accounts/password/reset/", {"email": "nobody@contoso.example"})
    assert known.status_code == 302
    assert not mail.outbox


def _code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def _activate_totp(client: Client) -> str:
    asked = client.get("/accounts/2fa/totp/activate/")
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    client.post("/accounts/2fa/totp/activate/", {"code": _code(secret)})
    return secret


def test_a_second_factor_is_asked_for_and_its_secret_is_sealed(ben):
    client = Client()
    _sign_in(client, ben.email)
    secret = _activate_totp(client)
    stored = Authenticator.objects.get(type=Authenticator.Type.TOTP).data["secret"]
    assert stored.startswith("gh1:") and secret not in str(list(Authenticator.objects.values()))
    again = Client()
    assert _sign_in(again, ben.email)["Location"] == "/accounts/2fa/authenticate/"
    assert again.get("/").status_code == 302
    assert again.get("/accounts/2fa/authenticate/").status_code == 200
    assert again.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert again.get("/").status_code == 302


def test_recovery_codes_let_in_once_each_and_are_sealed(ben):
    client = Client()
    _sign_in(client, ben.email)
    _activate_totp(client)
    assert client.get("/accounts/2fa/recovery-codes/").status_code == 200
    text = client.get("/accounts/2fa/recovery-codes/download/").content.decode()
    code = re.search(r"^[0-9a-z-]{8,}$", text, re.M)[0]
    stored = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES).data
    assert str(stored).count("gh1:") == 1 and code not in str(stored)
    for expected in ("/", None):
        again = Client()
        _sign_in(again, ben.email)
        answer = again.post("/accounts/2fa/authenticate/", {"code": code})
        assert answer.get("Location") == expected


@pytest.mark.parametrize(
    "page",
    [
        "password/change/",
        "password/reset/",
        "password/reset/done/",
        "password/reset/key/done/",
        "password/reset/key/1-gone/",
        "logout/",
        "inactive/",
        "2fa/",
        "2fa/totp/activate/",
        "2fa/recovery-codes/generate/",
        "reauthenticate/",
    ],
)
def test_every_page_of_the_account_renders(page, ben):
    client = Client()
    _sign_in(client, ben.email)
    answer = client.get(f"/accounts/{page}", follow=True)
    assert answer.status_code == 200
    assert b"Gatehouse</title>" in answer.content


LIMITS = {"login_failed": "20/m/ip,5/5m/key"}


@override_settings(ACCOUNT_RATE_LIMITS=LIMITS)
def test_fifty_wrong_passwords_from_fifty_forged_addresses_are_stopped(ben):
    from django.core.cache import cache

    cache.clear()
    answers = [_sign_in(Client(), ben.email, f"wrong {n}", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}") for n in range(50)]
    assert "Too many attempts failed. Wait five minutes" in answers[10].content.decode()
    assert answers[-1].status_code == 429 and b"Too many attempts" in answers[-1].content
    assert _tags().count(events.SIGN_IN_FAILED.tag) == 5
    assert _sign_in(Client(), ben.email).status_code != 302
    cache.clear()


def test_a_session_cookie_is_for_this_host_and_not_for_scripts(ben):
    client = Client()
    _sign_in(client, ben.email)
    cookie = client.cookies["session"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and not cookie["domain"] and cookie["path"] == "/"
    assert Session.objects.count() == 1
