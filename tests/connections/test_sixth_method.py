"""A further method is one class and one settings line: form, vault and pages ask its declaration."""

import pytest
from django import forms
from django.conf import settings
from django.test import override_settings

from connections import secrets
from connections.methods.base import AuthMethod, Credential, Goal, SecretField, SettingsForm
from tests.connections.pages import page, text_of

pytestmark = pytest.mark.django_db


class SignedSettings(SettingsForm):
    audience = forms.CharField(label="Audience", help_text="Who the signature is for.")


class Signed(AuthMethod):
    slug = "signed"
    label = "Signed requests"
    description = "Sign each call with a shared secret."
    foundry_auth_type = "Signed"
    user_context_persists = True
    goals = (Goal("Sign every call", 9),)
    settings_form = SignedSettings
    secret_fields = (
        SecretField("signing_secret", "Signing secret"),
        SecretField("spare", "Spare secret", required=False),
    )

    def check_secrets(self, entered):
        short = [one for one in entered if one.value and len(one.value) < 8]
        return {(one.field, one.position, "value"): "A signing secret has 8 characters or more." for one in short}

    def credential(self, connection, caller) -> Credential:
        [(_, value)] = secrets.opened(connection, "signing_secret", self.addresses(connection, "signing_secret"))
        return Credential((("x-signature", value),), described=f"Signed for {connection.settings['audience']}")

    def acts_as(self, connection, agent) -> str:
        return "The signer"

    def facts(self, connection):
        return (("Audience", connection.settings["audience"]),)


@pytest.fixture(autouse=True)
def with_one_line_more():
    with override_settings(AUTH_METHODS=[*settings.AUTH_METHODS, f"{__name__}.Signed"]):
        yield


def signed_form(url: str, **changes) -> dict:
    form = {"auth_method": "signed", "settings-audience": "api://hr", "signing_secret-0-value": "sixth-canary-value"}
    return {"action": "connect", "name": "signed-agent", "endpoint": url, "card_path": ""} | form | changes


def test_it_appears_in_the_form_with_its_own_fields(browse, ana, project):
    shown = text_of(browse(ana).get(f"{page('connection-new-a2a', project)}?auth_method=signed"))
    assert "Signed requests" in shown and "User context persists: <strong>Yes</strong>" in shown
    assert "Audience" in shown and "Who the signature is for." in shown
    assert 'name="signing_secret-0-value"' in shown and 'name="spare-0-value"' in shown
    assert 'name="signing_secret-0-name"' not in shown and "Sign every call" in shown


def test_it_is_saved_sealed_and_shown(browse, ana, project, fake_agent):
    endpoint = fake_agent(required_header=("x-signature", "sixth-canary-value"))
    answer = browse(ana).post(page("connection-new-a2a", project), signed_form(endpoint.url), follow=True)
    connection = project.connections.get()
    assert connection.settings == {"audience": "api://hr"}
    assert connection.secrets.get().field == "signing_secret"
    assert "sixth-canary-value" not in connection.secrets.get().value and "sixth-canary-value" not in text_of(answer)
    assert "api://hr" in text_of(answer) and "The endpoint accepted the credential." in text_of(answer)
    assert endpoint.calls()[0].header("x-signature") == ["sixth-canary-value"]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("settings-audience", "", "This field is required."),
        ("signing_secret-0-value", "short", "A signing secret has 8 characters or more."),
        ("signing_secret-0-value", "", "Enter the signing secret."),
    ],
)
def test_its_own_rules_are_kept(browse, ana, project, field, value, sentence):
    answer = browse(ana).post(
        page("connection-new-a2a", project), signed_form("http://127.0.0.1:9/x", **{field: value})
    )
    assert answer.status_code == 422 and sentence in text_of(answer)
    assert not project.connections.exists()


def test_a_connection_whose_method_was_uninstalled_still_has_its_page(browse, ana, project, fake_agent):
    browse(ana).post(page("connection-new-a2a", project), signed_form(fake_agent().url))
    with override_settings(AUTH_METHODS=settings.AUTH_METHODS[:2]):
        shown = browse(ana).get(page("connection", project, "signed-agent"))
        assert shown.status_code == 200 and "signed (not installed)" in text_of(shown)
        assert browse(ana).get(page("tools", project)).status_code == 200


def test_key_based_fields_of_another_method_are_ignored(browse, ana, project, fake_agent):
    sent = signed_form(fake_agent().url) | {"credential-0-name": "x-api-key", "credential-0-value": "stray"}
    browse(ana).post(page("connection-new-a2a", project), sent)
    assert project.connections.get().secrets.count() == 1
