"""make soak S=--short: on a PostgreSQL of its own, because that is restarted in the middle."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_grant_is_lost(tmp_path):
    """Six races, then 400 rotations and more with every fault, a kill at each step, four freezes and a restart."""
    report = tmp_path / "report.md"
    command = [sys.executable, "-B", "-m", "tests.soak", "--short", "--report", str(report)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "**Verdict: no grant was lost.**" in report.read_text()
