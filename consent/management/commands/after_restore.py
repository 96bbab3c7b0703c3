from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError

from consent import restoring


class Command(BaseCommand):
    help = "After the database was restored from a backup: each person's access is tried once, spread over a while."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--minutes", type=int, default=60, help="over how long the tries are spread (60)")

    def handle(self, *, minutes: int, **options) -> None:
        if not 1 <= minutes <= 7 * 24 * 60:
            raise CommandError("Between one minute and seven days.")
        count = restoring.mark(timedelta(minutes=minutes))
        self.stdout.write(f"{count} consents will be tried once within {minutes} minutes. Start a worker.")
