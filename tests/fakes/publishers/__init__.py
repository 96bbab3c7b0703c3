"""Publishers with their quirks, one small real server each: `running(FAKES["slack"])`. See README.md beside."""

from tests.fakes.publishers.atlassian import Atlassian
from tests.fakes.publishers.base import FakePublisher, running
from tests.fakes.publishers.figma import Figma
from tests.fakes.publishers.github import GitHub
from tests.fakes.publishers.google import Google
from tests.fakes.publishers.microsoft import Microsoft
from tests.fakes.publishers.salesforce import Salesforce
from tests.fakes.publishers.slack import Slack

__all__ = ["FAKES", "FakePublisher", "running"]

FAKES: dict[str, type[FakePublisher]] = {
    kind.slug: kind for kind in (Atlassian, Figma, GitHub, Google, Microsoft, Salesforce, Slack)
}
