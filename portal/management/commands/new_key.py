import re
import secrets

from cryptography.fernet import Fernet
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Prints a new key for GATEHOUSE_KEYS. Keep a copy apart from the database and its backups."
    requires_system_checks = ()  # it must run before there is a key

    def add_arguments(self, parser) -> None:
        parser.add_argument("id", nargs="?", help="letters and digits; else a random one")

    def handle(self, *, id: str | None = None, **options) -> None:  # noqa: A002 -- the argument's name
        key_id = id or f"k{secrets.token_hex(3)}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id):
            raise CommandError("An id has 1 to 32 letters, digits, hyphens or underscores.")
        self.stdout.write(f"{key_id}:{Fernet.generate_key().decode()}")
