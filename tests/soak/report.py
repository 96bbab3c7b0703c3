"""What a soak says of itself at the end, as docs/soak.md has it."""

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from tests.soak import oracle
from tests.soak.findings import Findings
from tests.soak.provider import AFTER, BEFORE
from tests.soak.race import CALLERS, PROCESSES, Raced
from tests.soak.signals import FROZEN, KILLED
from tests.soak.strikes import STEPS

# As it is at the start: a checkout may move on while a soak runs.
COMMIT = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude", "*"], capture_output=True, text=True)
VERDICTS = (oracle.KEPT, oracle.ENDED, oracle.INTERRUPTED, oracle.LOST)


def of(raced: Raced, found: Findings, requests: dict[str, Counter], crew, wrong: list[str]) -> str:
    """Markdown. `requests`: by provider, how often it did what."""
    parts = [
        _where(),
        _verdict(wrong),
        _race(raced),
        _in_numbers(found, requests, crew),
        _table("what the provider did", requests, ("none", *BEFORE, *AFTER)),
        _table("consents, by what became of them", _by_provider(found.verdicts, requests), VERDICTS),
        _strikes(found.strikes),
        _served(crew.served),
    ]
    return "\n\n".join(parts)


def _where() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return (
        f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC, {os.cpu_count()} cores ({model}), "
        f"Python {platform.python_version()}, commit {COMMIT.stdout.strip() or 'unknown'}, "
        f"load average {os.getloadavg()[0]:.1f} at the end."
    )


def _verdict(wrong: list[str]) -> str:
    if not wrong:
        return "**Verdict: no grant was lost.**"
    return "\n".join(["**Verdict: not passed.**", "", *(f"- {each}" for each in wrong[:40])])


def _race(raced: Raced) -> str:
    rounds = ", ".join(f"{count} with it {condition}" for condition, count in raced.rounds.items())
    return (
        f"**Races**: {raced.rounds.total()} times {PROCESSES * CALLERS} callers in {PROCESSES} processes on one "
        f"expired grant; the broker was {raced.broker}, {rounds}; in {raced.swept} of them a sweep reached "
        f"for it at the same time. {raced.served:,} callers were served; "
        f"{len(raced.wrong)} races had another number of token requests than one, another answer than the new token, "
        f"or an ended grant. {raced.seconds:.0f} s."
    )


def _in_numbers(found: Findings, requests: dict[str, Counter], crew) -> str:
    restarts = ", ".join(f"{count} {how}" for how, count in found.restarts.items()) or "none"
    asked = sum(counted.total() for counted in requests.values())
    return (
        f"**Faults**: {asked:,} token requests and {found.rotations:,} rotations in {found.seconds:.0f} s. "
        f"{found.strikes.total()} workers were struck at a step, {crew.killed_thawed} of them thawed after their lease "
        f"and killed later wherever they were. The database restarted {found.restarts.total()} times ({restarts}). "
        f"{found.waiting.times:,} times a lease was over and nobody had taken over yet; the longest waited "
        f"{found.waiting.longest:.2f} s, and {found.held.longest:.2f} s with the time in which whoever took over was "
        f"frozen inside of that very transaction."
    )


def _table(head: str, columns: dict[str, Counter], rows: Iterable[str]) -> str:
    lines = [f"| {head} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    lines += [f"| {row} | {' | '.join(f'{each[row]:,}' for each in columns.values())} |" for row in rows]
    return "\n".join(lines)


def _by_provider(verdicts: Counter, names: Iterable[str]) -> dict[str, Counter]:
    return {name: Counter({word: verdicts[name, word] for word in VERDICTS}) for name in names}


def _strikes(strikes: Counter) -> str:
    columns = {how: Counter({step.name: strikes[step.name, how] for step in STEPS}) for how in (KILLED, FROZEN)}
    return _table("workers struck at this step", columns, [step.name for step in STEPS])


def _served(served: Counter) -> str:
    rows = "\n".join(f"| {what} | {count:,} |" for what, count in served.most_common())
    return f"| what callers were told | times |\n|---|---|\n{rows}"
