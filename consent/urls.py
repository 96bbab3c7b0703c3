"""The pages of consent. A link has no slash at its end, as it is told to agents; with one it works as well."""

from django.urls import path

from consent.managed import pages as managed
from consent.pages import answer, asking, connection, keys, mine, outcome, personal

_ONE = "consent/<uuid:asking>"
_APPS = "portal/publishers/"
_TAB = "projects/<str:project>/tools/<str:connection>/consents/"

urlpatterns = [
    path("consent/callback/<uuid:connection_id>", answer.callback, name="consent-callback"),
    path("consent/callback/p/<slug:publisher>", answer.callback_of_publisher, name="consent-callback-publisher"),
    path("consent/keys/<uuid:key_set>/jwks.json", keys.jwks, name="client-keys"),
    path(_ONE, asking.consent, name="consent"),
    path(f"{_ONE}/", asking.consent, name="consent-with-slash"),
    path(f"{_ONE}/done", outcome.done, name="consent-done"),
    path(f"{_ONE}/undo", outcome.undo, name="consent-undo"),
    path(f"{_ONE}/refused", outcome.refused, name="consent-refused"),
    path("consents/", mine.consents, name="consents"),
    path("consents/export", personal.export_mine, name="consents-export"),
    path("consents/erase", personal.erase_mine, name="consents-erase"),
    path("people/<uuid:person>/consents/export", personal.export_of_leaver, name="person-consents-export"),
    path("people/<uuid:person>/consents/erase", personal.erase_of_leaver, name="person-consents-erase"),
    path("consents/connect/<uuid:connection_id>/<uuid:agent_id>", mine.connect, name="consents-connect"),
    path("consents/<uuid:grant>/disconnect", mine.disconnect, name="consents-disconnect"),
    path("consents/blocks/<uuid:block>/unblock", mine.unblock, name="consents-unblock"),
    path(_APPS, managed.list_apps, name="publisher-apps"),
    path(f"{_APPS}new/", managed.new_app, name="publisher-app-new"),
    path(f"{_APPS}<slug:publisher>/", managed.edit_app, name="publisher-app"),
    path(f"{_APPS}<slug:publisher>/secret/", managed.replace_secret, name="publisher-app-secret"),
    path(f"{_APPS}<slug:publisher>/remove/", managed.remove_app, name="publisher-app-remove"),
    path(_TAB, connection.consents, name="connection-consents"),
    path(f"{_TAB}<uuid:grant>/revoke/", connection.revoke, name="connection-consents-revoke"),
]
