"""The demo's endpoint: an A2A server outside the portal, for the demo project's connections to reach."""
