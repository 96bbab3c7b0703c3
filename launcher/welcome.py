"""What the terminal shows when the demo is up."""

import json
from pathlib import Path


def welcome(var: Path) -> str:
    """The address and the demo sign-ins, from `var/demo.json`."""
    demo = json.loads((var / "demo.json").read_text())
    width = max(len(user["email"]) for user in demo["users"])
    sign_ins = [f"    {user['email']:{width}}   {user['password']}   {user['role']}" for user in demo["users"]]
    return "\n".join(
        [
            "",
            f"  Gatehouse is ready at {demo['url']}",
            "",
            "  Sign in with one of the demo's accounts (e-mail address, password, role):",
            *sign_ins,
            "",
            "  The same, with the agents' keys, gateway addresses and the key of an endpoint that you can connect",
            f"  by hand, is in {var / 'demo.json'}.",
            "  Ctrl-C stops everything; the next make run goes on where this one ended.",
            "",
        ]
    )
