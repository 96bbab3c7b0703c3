"""The catalogue of publishers whose apps this portal can manage, and how each is spoken to."""

from consent.publishers.airtable import AIRTABLE
from consent.publishers.asana import ASANA
from consent.publishers.atlassian import ATLASSIAN
from consent.publishers.auth0 import AUTH0
from consent.publishers.box import BOX
from consent.publishers.discord import DISCORD
from consent.publishers.docusign import DOCUSIGN
from consent.publishers.dropbox import DROPBOX
from consent.publishers.figma import FIGMA
from consent.publishers.github import GITHUB
from consent.publishers.github_app import GITHUB_APP
from consent.publishers.gitlab import GITLAB
from consent.publishers.google import GOOGLE
from consent.publishers.hubspot import HUBSPOT
from consent.publishers.intercom import INTERCOM
from consent.publishers.linear import LINEAR
from consent.publishers.microsoft import MICROSOFT
from consent.publishers.notion import NOTION
from consent.publishers.okta import OKTA
from consent.publishers.record import Publisher, Scope, Variable, Wire
from consent.publishers.salesforce import SALESFORCE
from consent.publishers.servicenow import SERVICENOW
from consent.publishers.slack import SLACK
from consent.publishers.stripe import STRIPE
from consent.publishers.zendesk import ZENDESK
from consent.publishers.zoom import ZOOM

__all__ = ["PUBLISHERS", "Publisher", "Scope", "Variable", "Wire", "authorize_params_of", "name_of", "wire_of"]

# In the order in which they are offered.
CATALOGUE = (
    *(GITHUB, GITHUB_APP, GOOGLE, MICROSOFT, SLACK, ATLASSIAN, SALESFORCE, NOTION, ZOOM, DROPBOX),
    *(GITLAB, LINEAR, ASANA, HUBSPOT, FIGMA, BOX, ZENDESK, SERVICENOW, OKTA, AUTH0),
    *(DISCORD, AIRTABLE, INTERCOM, STRIPE, DOCUSIGN),
)
PUBLISHERS: dict[str, Publisher] = {publisher.slug: publisher for publisher in CATALOGUE}
STANDARD = Wire()


def wire_of(slug: str) -> Wire:
    """The standards for "", which is a custom app, and for a publisher that is no longer in the catalogue."""
    return PUBLISHERS[slug].wire if slug in PUBLISHERS else STANDARD


def authorize_params_of(slug: str) -> dict[str, str]:
    """As of the record today: what a publisher wants to be sent is not what a user was asked."""
    return PUBLISHERS[slug].authorize_params if slug in PUBLISHERS else {}


def name_of(slug: str) -> str:
    """As people know the publisher; one that is no longer in the catalogue by its slug."""
    return PUBLISHERS[slug].name if slug in PUBLISHERS else slug
