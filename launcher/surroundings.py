"""What the processes find in their environment."""

import base64
import ipaddress
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from launcher.private import write_private
from launcher.refusal import Refusal

LOOPBACK_NETWORKS = "127.0.0.0/8 [::1]/128"
Environment = dict[str, str]


def refuse_if_not_a_demo(given: Environment) -> None:
    """`make run` is a demo with sign-ins that stand on the screen: it keeps away from anything real.

    Raises Refusal where the environment names a database or an address that others can reach.
    """
    if given.get("DATABASE_URL"):
        raise Refusal(
            "DATABASE_URL is set, and make run is only for the demo, which brings a database of its own. "
            "Unset DATABASE_URL to see the demo; to start production processes on that database, "
            "see docs/operations.md."
        )
    address = given.get("PUBLIC_URL")
    if address and not _is_loopback(address):
        raise Refusal(
            f"PUBLIC_URL is {address}, which others may reach, and the demo's sign-ins "
            "are public. Unset PUBLIC_URL to see the demo; to start production processes, "
            "see docs/operations.md."
        )


def for_demo(given: Environment, var: Path, database_url: str) -> Environment:
    """The environment of everything that `make run` starts; its keys come from `var` and nowhere else."""
    port = port_of(given)
    own = {
        **_the_same_for_all(var, database_url),
        **kept_secrets(var),
        "GATEHOUSE_DEMO": "1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": given.get("PUBLIC_URL") or f"http://127.0.0.1:{port}",
        "ALLOWED_OUTBOUND_NETWORKS": " ".join(
            filter(None, [given.get("ALLOWED_OUTBOUND_NETWORKS"), LOOPBACK_NETWORKS])
        ),
    }
    level = given.get("LOG_LEVEL", "WARNING")
    quiet = {
        "LOG_LEVEL": level,
        "UVICORN_LOG_LEVEL": level.lower(),
        "SHUTDOWN_SECONDS": "3",
        # Where root owns the checkout the worker is root's; the launcher has said so already.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }
    return {**quiet, **_without_key_files(given), **own}


def for_tests(given: Environment, var: Path, database_url: str) -> Environment:
    """The environment of the test run: fresh keys, no mark of the demo, no network allowed."""
    own = {**_the_same_for_all(var, database_url), **new_secrets()}
    unmarked = {
        name: value
        for name, value in _without_key_files(given).items()
        if name not in {"GATEHOUSE_DEMO", "ALLOWED_OUTBOUND_NETWORKS"}
    }
    return {"PUBLIC_URL": "http://localhost:8000", **unmarked, **own}


def port_of(given: Environment) -> int:
    """PORT, 8000 when unset; raises Refusal when it is no port."""
    text = given.get("PORT") or "8000"
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise Refusal(f"PORT is {text!r}, which is no port. Use a number from 1 to 65535, such as PORT=8080.")
    return int(text)


def kept_secrets(var: Path) -> Environment:
    """SECRET_KEY and GATEHOUSE_KEYS of this checkout's demo, made once and kept in `var` with mode 600."""
    return kept(var / "secrets.json", new_secrets)


def kept(path: Path, make: Callable[[], Environment]) -> Environment:
    """What `make` returned the first time, read from `path` (mode 600) ever after."""
    if not path.exists():
        write_private(path, json.dumps(make(), indent=2))
    path.chmod(0o600)
    try:
        values = json.loads(path.read_text())
        return {name: str(values[name]) for name in make()}
    except (ValueError, KeyError, TypeError):
        raise Refusal(
            f"{path} cannot be read, and the demo cannot go on without the keys in it. "
            f"Put the file back, or remove {path.parent} to begin with a fresh demo."
        ) from None


def new_secrets() -> Environment:
    """A SECRET_KEY and a key ring with one new Fernet key, `k1:<44 characters base64url>`."""
    fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return {"SECRET_KEY": secrets.token_urlsafe(50), "GATEHOUSE_KEYS": f"k1:{fernet_key}"}


def _the_same_for_all(var: Path, database_url: str) -> Environment:
    programs = str(Path(sys.executable).parent)
    return {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "GATEHOUSE_VAR": str(var),
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
    }


def _without_key_files(given: Environment) -> Environment:
    # SECRET_KEY_FILE would win over our SECRET_KEY.
    return {
        name: value
        for name, value in given.items()
        if name not in {"SECRET_KEY_FILE", "GATEHOUSE_KEYS_FILE", "SECRET_KEY_FALLBACKS"}
    }


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
