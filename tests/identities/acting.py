"""Authentication methods that act as an identity, as the two of Microsoft Entra do; without a token."""

from connections.methods.base import AuthMethod

METHODS = ["tests.identities.acting.AsAgent", "tests.identities.acting.AsProject"]


class AsAgent(AuthMethod):
    slug = "as-agent"
    label = "As the agent"
    description = "For tests."
    foundry_auth_type = "Custom"
    acts_as_agent = True

    def acts_as(self, connection, agent) -> str:
        return "The agent"


class AsProject(AsAgent):
    slug = "as-project"
    label = "As the project"
    acts_as_agent = False
    acts_as_project = True
