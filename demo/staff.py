"""The two agents for the company's staff. They answer identities that have a role, and say who asked."""

import re
from dataclasses import replace

from a2a.server.agent_execution import RequestContext

from demo.agent import DemoExecutor
from demo.answers import Answer

DAYS_LEFT = {"Ana": 11, "Ben": 7, "Chloe": 19, "Dev": 3}
HOURS = "Working hours are 9:00 to 17:30, Monday to Friday, with half an hour for lunch."
PUBLIC_HOLIDAYS = "The next public holidays are 25 December 2026, 26 December 2026 and 1 January 2027."
HR_KNOWS = f"I know working hours, public holidays, and the holidays left of {', '.join(DAYS_LEFT)}."
STAFF_RECORDS = "Source: the demo company's staff records."

RUNS = {
    "October": "The payroll of October 2026 was paid on 23 October: 4 people, 17,204.40 EUR.",
    "November": "The payroll of November 2026 is paid on 25 November: 4 people, 17,204.40 EUR.",
    "December": "The payroll of December 2026 is paid on 18 December: 4 people, 21,950.00 EUR with the bonus.",
}
NEXT_PAYDAY = "The next payday is 25 November 2026."
PAYROLL_RECORDS = "Source: the demo company's payroll."


class StaffExecutor(DemoExecutor):
    """Needs a `demo.bearer.Visitor` as the request's user."""

    def answer_to(self, question: str, context: RequestContext) -> Answer:
        answer = super().answer_to(question, context)
        return replace(answer, source=f"Asked by {context.call_context.user.user_name}. {answer.source}")


def hr(question: str) -> Answer:
    """Answer about somebody's holidays left, the working hours or the public holidays."""
    if re.search(r"\bhours?\b", question, re.IGNORECASE):
        return Answer(f"{HOURS}\n", STAFF_RECORDS)
    if re.search(r"\bpublic\b", question, re.IGNORECASE):
        return Answer(f"{PUBLIC_HOLIDAYS}\n", STAFF_RECORDS)
    left = [f"{name} has {days} days of holiday left." for name, days in DAYS_LEFT.items() if _names(question, name)]
    return Answer(f"{' '.join(left) or HR_KNOWS}\n", STAFF_RECORDS)


def payroll(question: str) -> Answer:
    """Answer about the payroll of a month, or the next payday."""
    runs = [run for month, run in RUNS.items() if _names(question, month)]
    return Answer(f"{' '.join(runs) or NEXT_PAYDAY}\n", PAYROLL_RECORDS)


def _names(question: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", question, re.IGNORECASE) is not None
