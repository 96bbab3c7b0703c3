"""The parts of the demo's authorization server; `demo.authorization_server` puts them together."""
