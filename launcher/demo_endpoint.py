"""The A2A server that the demo project's connections lead to: started by `make run` only."""

import secrets
import sys
from pathlib import Path

from launcher import ports
from launcher.refusal import Refusal
from launcher.surroundings import Environment, kept

COMMAND = [sys.executable, "-m", "demo.endpoint"]
_USUAL_PORT = 8100


def endpoint_environment(given: Environment, var: Path) -> Environment:
    """DEMO_ENDPOINT_PORT, _URL and _KEY, and the files in which the demo's provider and roles are kept.

    Chosen at the first start and kept: the seeded connections lead there. Beside it the endpoint wants the portal's
    PUBLIC_URL, which may differ from start to start: whose tokens it takes follows from that.

    Raises Refusal when another program has taken the port since.
    """
    values = kept(var / "endpoint.json", lambda: _first_choice(given))
    port = int(values["DEMO_ENDPOINT_PORT"])
    if not ports.is_free(port):
        raise Refusal(
            f"Port {port} of 127.0.0.1 is taken by another program, and the demo's connections lead there. "
            "End that program, or run rm -r var for a fresh demo on another port."
        )
    files = {"DEMO_PROVIDER_FILE": str(var / "provider.json"), "DEMO_ROLES_FILE": str(var / "roles.json")}
    return {**values, **files, "DEMO_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


def _first_choice(given: Environment) -> Environment:
    usual = _USUAL_PORT if ports.is_free(_USUAL_PORT) else ports.any_free()
    return {
        "DEMO_ENDPOINT_PORT": given.get("DEMO_ENDPOINT_PORT") or str(usual),
        "DEMO_ENDPOINT_KEY": secrets.token_urlsafe(32),
    }
