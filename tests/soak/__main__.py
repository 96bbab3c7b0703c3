"""make soak: is a grant ever lost? Races for one grant, then thousands of refreshes under faults, kills and restarts.

    make soak                          the long form, a quarter of an hour
    make soak S=--short                the form that runs with the tests, a minute
    make soak S="--refreshes 2000 --grants 40 --report soak.md"

Real processes, a PostgreSQL of its own that keeps fsync on and is restarted in the middle, and providers in processes
of their own that end a grant when a refresh token is used twice. Fails where a grant was lost, a state was wrong or
late, or something that was to be tried did not happen.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GRACE = 300
# Bounds that a machine with much else to do keeps as well, and four freezes.
SHORT = {
    "freezes_at": ("lease committed", "sent, never read", "rotated, not answered", "tokens committed"),
    "hurry": 15,
    "strike_every": 0.1,
    "take_over": 20.0,
}


def main(arguments: list[str]) -> int:
    """1 where something is wrong; 2 and 128 + signal as the launcher."""
    from launcher.owner import become_owner
    from launcher.refusal import Refusal
    from launcher.stopping import Stopped, stop_on_signals

    options = _options(arguments)
    stop_on_signals()
    try:
        become_owner(ROOT)
        return _on_a_database_of_its_own(options)
    except Refusal as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        return 128 + stopped.signal


def _on_a_database_of_its_own(options: argparse.Namespace) -> int:
    from launcher.postgres import Cluster
    from launcher.surroundings import for_tests

    with contextlib.ExitStack() as stack:
        place = Path(tempfile.mkdtemp(prefix="soak-"))
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        cluster = Cluster(place / "postgres")
        assert cluster.lock()
        stack.enter_context(cluster)
        given = {name: value for name, value in os.environ.items() if name != "CELERY_BROKER_URL"}
        environment = for_tests(given, place, cluster.url) | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "LOG_LEVEL": given.get("LOG_LEVEL", "CRITICAL"),
            "PYTHONPATH": str(ROOT),
            "REFRESH_THREADS": "8",
            "SOAK_WITHOUT_LEASES": "1" if options.without_leases else "",
        }
        os.environ.clear()
        os.environ.update(environment)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        return _inside(options, cluster)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make soak")
    parser.add_argument("--short", action="store_true", help="the form that runs with the tests")
    parser.add_argument("--races", type=int, default=100)
    parser.add_argument("--refreshes", type=int, default=10_000)
    parser.add_argument("--grants", type=int, default=100, help="at each of the eight doors of the providers")
    parser.add_argument("--strikes", type=int, default=20, help="kills at each step")
    parser.add_argument("--freezes", type=int, default=5, help="at each step")
    parser.add_argument("--restarts", type=int, default=15, help="of the database")
    parser.add_argument("--seconds", type=float, default=1200, help="at most")
    parser.add_argument("--seed", type=int, default=1, help="of the providers' faults")
    parser.add_argument("--without-leases", action="store_true", help="a portal that must be found out: it takes none")
    parser.add_argument("--report", type=Path, help="a file for what is printed at the end")
    if "--short" in arguments:
        parser.set_defaults(races=6, refreshes=400, grants=20, strikes=1, freezes=1, restarts=1, seconds=600)
    return parser.parse_args(arguments)


def _inside(options: argparse.Namespace, cluster) -> int:
    import django

    django.setup()
    from tests.soak import findings, report, soaking
    from tests.soak.crew import crew
    from tests.soak.providers import provider
    from tests.soak.race import race

    size = findings.Size(
        options.refreshes, options.strikes, options.freezes, options.restarts, options.seconds,
        **(SHORT if options.short else {}),
    )  # fmt: skip
    raced = race(options.races, _say)
    with contextlib.ExitStack() as stack:
        faults = {"faults": 0.2 if options.short else 0.1, "doors": 4}
        kind = stack.enter_context(provider("with a grace", grace=GRACE, seed=options.seed, **faults))
        harsh = stack.enter_context(provider("without", grace=0, seed=options.seed + 1, **faults))
        providers = {kind: True, harsh: False}
        # The workers come last, so that they are gone before those whom they ask.
        workers = stack.enter_context(crew())
        soak = soaking.Soak(size, cluster, workers, providers)
        soak.populate(options.grants)
        workers.begin("sweep", 3)
        workers.begin("call", 5)
        found = soak.run(_say)
        requests = {each.name: findings.faults_in(ledger) for each, ledger in soak.ledgers().items()}
        wrong = findings.wrong(size, raced, found, requests, workers)
        text = report.of(raced, found, requests, workers, wrong)
    print(text)
    if options.report:
        options.report.write_text(text + "\n")
    return 1 if wrong else 0


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
