from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from portal.accounts import set_password_link
from portal.projects.assignments import Refused
from portal.projects.first_owner import create_owner, is_owner


class Command(BaseCommand):
    help = "Makes a person Owner of the portal and prints a link, good once, with which they set their password."

    def add_arguments(self, parser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="", help="how the person is called; else what stands before the @")
        parser.add_argument("--again", action="store_true", help="print a link although the person has a password")

    def handle(self, *, email: str, name: str, again: bool, **options) -> None:
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"{email} is not an e-mail address.") from None
        was_owner = is_owner(email)
        try:
            person = create_owner(email, name)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        if person.has_usable_password() and not again:
            self._explain(person, was_owner)
            return
        self.stdout.write(f"{person.email} is Owner and Azure AI Owner of the portal.")
        self.stdout.write("Open this link to set the password. It works once, for three days:")
        self.stdout.write(set_password_link(person))

    def _explain(self, person, was_owner: bool) -> None:
        if was_owner:
            raise CommandError(
                f"{person.email} is an Owner already and has a password. "
                "Add --again for a link with which they set a new one."
            )
        self.stdout.write(f"{person.email} is now Owner and Azure AI Owner of the portal, and keeps the password.")
