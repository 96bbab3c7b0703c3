"""Everything that an operator can get wrong, one after the other; what can't be examined is said and not skipped."""

from collections.abc import Callable, Iterator

from django.db import DatabaseError

from portal.doctor import database, files, keys, queue, surroundings, ways_out
from portal.doctor.findings import Finding, Verdict, broken, look


def examine(seconds: float, host: str = "") -> Iterator[Finding]:
    """`seconds` is how long a worker may take to answer, `host` a name to look up."""
    yield from _carefully("settings", surroundings.examine)
    yield keys.ring()
    answers = database.answers()
    yield answers
    if answers.verdict is Verdict.OK:
        yield from _carefully("database", database.examine)
        yield from _carefully("keys", keys.examine)
        yield from _carefully("queue", lambda: queue.examine(seconds))
    else:
        what = "Migrations, permissions, keys, worker and beat"
        yield look("the rest of it", f"{what} were not checked.", "Mend the database first, then ask again.")
    yield from _carefully("ways out", lambda: ways_out.examine(host))
    yield from _carefully("files", files.examine)


def _carefully(about: str, section: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A table that is not there yet must not end the examination."""
    try:
        yield from section()
    except DatabaseError as error:
        yield broken(
            about, f"The database refused to say ({type(error).__name__}).", "Run manage.py migrate, then ask again."
        )
    except Exception as error:  # noqa: BLE001 -- whatever it is, the other sections are still of use
        yield broken(about, f"It could not be examined ({type(error).__name__}).", "Please report this.")
