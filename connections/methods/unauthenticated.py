"""Unauthenticated access: nothing is added to the call."""

from connections.methods.base import AuthMethod, Caller, Credential, Goal


class Unauthenticated(AuthMethod):
    slug = "unauthenticated"
    label = "Unauthenticated access"
    description = "Use this only when the A2A endpoint doesn't require authentication."
    foundry_auth_type = "None"
    needs_credential = False
    goals = (Goal("Connect to an A2A endpoint that doesn't require authentication", 4),)

    def credential(self, connection, caller: Caller) -> Credential:
        return Credential(described="No credential")

    def acts_as(self, connection, agent) -> str:
        return "Nobody"
