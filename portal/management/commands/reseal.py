import time

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal import resealing, rewrapping, vault
from portal.projects.models import Project
from portal.resealing import Moved

MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Wraps every key anew by the first key of GATEHOUSE_KEYS, and finishes what an earlier run began. With "
        "--data-keys each project gets a new data key, and every stored value is sealed again under it, while calls "
        "go on. It can be stopped and started again at any time."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--data-keys", action="store_true", help="give each project a new data key")
        parser.add_argument("--project", metavar="NAME", help="only this project's data keys and values")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")

    def handle(self, *, data_keys: bool, project: str | None, dry_run: bool, **options) -> None:
        only = self._found(project) if project else None
        self._began = self._told = time.monotonic()
        try:
            if dry_run:
                self._foretell(data_keys, only)
                return
            problems = [*self._rewrap(), *self._reseal(data_keys, only)]
        except vault.KeyUnavailable as error:
            raise CommandError(str(error)) from None
        if problems:
            raise CommandError("\n".join(["Not everything could be done.", *problems]))

    def _found(self, name: str) -> Project:
        found = Project.objects.filter(name=name).first()
        if found is None:
            raise CommandError(f"There is no project named {name}.")
        return found

    # The ring

    def _rewrap(self) -> list[str]:
        done = rewrapping.rewrap()
        for old, count in done.moved.items():
            self.stdout.write(f"{_counted(count, 'key')} wrapped by {old} before: by {vault.ring().current} now.")
        self._say_what_can_go()
        return list(done.failures)

    def _say_what_can_go(self) -> None:
        by, ring = rewrapping.wrapped_by(), vault.ring()
        self.stdout.write("Wrapped now: " + ", ".join(f"{count:,} by {key}" for key, count in sorted(by.items())) + ".")
        for key in ring.key_ids[1:]:
            if not by[key]:
                self.stdout.write(
                    f"{key} wraps nothing any more. Take it out of GATEHOUSE_KEYS once every process has "
                    f"{ring.current} in front, and keep it with the backups that were made until now."
                )

    # Data keys and values

    def _reseal(self, data_keys: bool, only: Project | None) -> list[str]:
        if data_keys:
            self._replace(only)
        if destroyed := resealing.destroy(only):
            self.stdout.write(f"{_counted(destroyed, 'retired data key')} destroyed.")
        moved = resealing.move(only, self._progress)
        if moved.total:
            seconds = time.monotonic() - self._began
            self.stdout.write(f"{_counted(moved.done, 'value')} sealed again in {seconds:.1f} seconds.")
        resealing.note_empty(only)
        self._say_what_is_kept(only)
        return _problems(moved)

    def _replace(self, only: Project | None) -> None:
        replaced = resealing.replace_keys(only)
        young = resealing.data_keys(only).filter(retired_at=None).count() - replaced
        self.stdout.write(
            f"{_counted(replaced, 'new data key')} made."
            + (f" {_counted(young, 'data key')} younger than an hour: kept." if young > 0 else "")
        )

    def _progress(self, moved: Moved) -> None:
        if time.monotonic() - self._told < 1:
            return
        self._told = time.monotonic()
        rate = moved.done / (self._told - self._began)
        self.stdout.write(f"{moved.done:,} of {_counted(moved.total, 'value')} sealed again, {rate:,.0f} a second")
        self.stdout.flush()

    def _say_what_is_kept(self, only: Project | None) -> None:
        last = resealing.data_keys(only).exclude(emptied_at=None).order_by("-emptied_at").first()
        if last is not None:
            count = resealing.data_keys(only).exclude(emptied_at=None).count()
            at = timezone.localtime(last.emptied_at + resealing.KEPT)
            self.stdout.write(
                f"{_counted(count, 'retired data key')} without a value, kept for calls that are under way. "
                f"Run manage.py reseal after {at:%H:%M %Z} to destroy what is left."
            )

    def _foretell(self, data_keys: bool, only: Project | None) -> None:
        by, current = rewrapping.wrapped_by(), vault.ring().current
        self.stdout.write(f"{_counted(by.total() - by[current], 'key')} to be wrapped by {current}.")
        if data_keys:
            self.stdout.write(f"{_counted(resealing.due(only).count(), 'new data key')} to be made.")
        self.stdout.write(f"{_counted(resealing.to_move(only, data_keys), 'value')} to be sealed again.")
        self.stdout.write(f"{_counted(resealing.over(only).count(), 'retired data key')} to be destroyed.")
        self.stdout.write("Nothing was changed.")


def _problems(moved: Moved) -> list[str]:
    shown = [f"{line} It was left as it is." for line in moved.broken[:MOST_SHOWN]]
    if len(moved.broken) > MOST_SHOWN:
        shown.append(f"And {len(moved.broken) - MOST_SHOWN:,} more.")
    if moved.busy:
        shown.append(f"{_counted(moved.busy, 'row')} in use all the time. Run the command again.")
    return shown


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
