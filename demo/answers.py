"""What the demo's two agents know: small fixed tables; the same question gets the same answer."""

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What an agent says and where it has it from; or what it must ask back before it can finish."""

    text: str
    source: str = ""
    needs_input: bool = False


@dataclass(frozen=True)
class Invoice:
    supplier: str
    amount: str
    due: str
    booked: str


INVOICES = {
    "4711": Invoice("Lindqvist Paper", "1,240.00 EUR", "30 November 2026", "account 6815, office supplies"),
    "4712": Invoice("Norrland Freight", "318.50 EUR", "12 December 2026", "account 6740, outbound freight"),
    "4713": Invoice("Brandt & Sohn", "9,602.10 EUR", "15 January 2027", "account 0650, office equipment"),
}
MONTHLY_CLOSE = "October 2026 is closed. November 2026 closes on 30 November: 3 invoices, 11,160.60 EUR."
LEDGER = "Source: the demo company's ledger."
WHICH_INVOICE = "Which invoice do you mean? Give its number, for example 4711."
SKIES = ("clear", "light cloud", "rain in the afternoon", "fog until noon", "snow showers")


def ledger(question: str) -> Answer:
    """Answer a question about invoices, bookings or the monthly close."""
    if re.search(r"\bclos(e|ed|ing)\b|\bmonth", question, re.IGNORECASE):
        return Answer(MONTHLY_CLOSE, LEDGER)
    number = re.search(r"\b\d{4}\b", question)
    if number is None:
        return Answer(WHICH_INVOICE, needs_input=True)
    return Answer(_about_invoice(number.group(), question), LEDGER)


def _about_invoice(number: str, question: str) -> str:
    invoice = INVOICES.get(number)
    if invoice is None:
        return f"There is no invoice {number}. Known numbers: {', '.join(INVOICES)}."
    if re.search(r"\bbook", question, re.IGNORECASE):
        return f"Invoice {number} from {invoice.supplier} is booked to {invoice.booked}."
    return f"Invoice {number}: {invoice.amount}, due {invoice.due}"


def weather(question: str) -> Answer:
    """Answer with a made-up forecast that depends on the words of the question alone."""
    place = _place(question)
    digest = hashlib.sha256(place.casefold().encode()).digest()
    degrees = digest[0] % 25 - 4
    forecast = f"{place} tomorrow: {SKIES[digest[1] % len(SKIES)]}, {degrees} °C, wind {digest[2] % 50} km/h."
    return Answer(forecast, "Source: made up for the demo.")


def _place(question: str) -> str:
    named = re.search(r"\b(?:in|for|at)\s+([A-ZÀ-Þ][\w'-]+(?:\s+[A-ZÀ-Þ][\w'-]+)*)", question)
    return named.group(1) if named else "Stockholm"
