"""python -m launcher.venv <requirements file> <stamp>…: makes .venv, as the owner of the checkout.

Needs nothing but Python's standard library; the stamps are touched when everything is installed.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from launcher.owner import become_owner
from launcher.refusal import Refusal

_CHECKOUT = Path(__file__).resolve().parent.parent


def install(requirements: Path, stamps: list[Path]) -> None:
    """Bring the stamps' virtual environment to what `requirements` asks for; raises Refusal with the remedy."""
    place = stamps[0].parent
    if not _works(place):
        _make(place)
    print(f"Installing {requirements} into {place} (a minute or two the first time) …", flush=True)
    pip = [place / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    _do(
        [*pip, "--root-user-action=ignore", "-r", requirements],
        f"The packages of {requirements} could not be installed; pip's lines above say why. "
        "It needs the Python package index, or PIP_INDEX_URL or PIP_FIND_LINKS for one of yours.",
    )
    for stamp in stamps:
        stamp.touch()


def _works(place: Path) -> bool:
    # After an upgrade of the system's Python, an old environment may lead nowhere.
    try:
        command = [place / "bin" / "python", "-m", "pip", "--version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make(place: Path) -> None:
    if not find_spec("venv") or not find_spec("ensurepip"):
        raise Refusal(
            f"{sys.executable} lacks venv or ensurepip, which make the virtual environment. "
            "On Debian and Ubuntu: apt-get install python3-venv. Elsewhere, install Python 3.11 or newer whole."
        )
    _do(
        [sys.executable, "-m", "venv", "--clear", place],
        f"The virtual environment {place} could not be made; the lines above say why.",
    )


def _do(command: list[str | Path], failure: str) -> None:
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        raise Refusal(f"{command[0]} cannot be run ({error.strerror}). {failure}") from None
    if code != 0:
        raise Refusal(failure)


if __name__ == "__main__":
    try:
        become_owner(_CHECKOUT)
        install(Path(sys.argv[1]), [Path(stamp) for stamp in sys.argv[2:]])
    except Refusal as refusal:
        sys.exit(f"\n{refusal}")
    except KeyboardInterrupt:
        sys.exit(130)
