import sys
import textwrap

from django.core.management.base import BaseCommand

from portal.doctor.examination import examine
from portal.doctor.findings import Finding, Verdict

WIDTH = 100


class Command(BaseCommand):
    help = "Looks at everything an operator can get wrong: what is right, what is not, and what to do. 1 if broken."
    requires_system_checks = ()  # it says itself what they say

    def add_arguments(self, parser) -> None:
        parser.add_argument("--seconds", type=float, default=10.0, help="how long a worker may take to answer (10)")
        parser.add_argument("--host", default="", help="a name to look up; else that of PUBLIC_URL")

    def handle(self, *, seconds: float, host: str, **options) -> None:
        found = []
        for finding in examine(seconds, host):
            found.append(finding.verdict)
            self._say(finding)
        count = {verdict: found.count(verdict) for verdict in Verdict}
        self.stdout.write(
            f"\n{count[Verdict.OK]} ok, {count[Verdict.LOOK]} to look at, {count[Verdict.BROKEN]} broken."
        )
        if count[Verdict.BROKEN]:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        style = {Verdict.OK: self.style.SUCCESS, Verdict.LOOK: self.style.WARNING, Verdict.BROKEN: self.style.ERROR}
        text = textwrap.fill(finding.why, WIDTH, subsequent_indent=" " * 14)
        self.stdout.write(f"{style[finding.verdict](f'{finding.verdict:<12}')}  {finding.about}: {text}")
        if finding.remedy:
            remedy = textwrap.fill(finding.remedy, WIDTH, initial_indent=" " * 14, subsequent_indent=" " * 14)
            self.stdout.write(remedy)
