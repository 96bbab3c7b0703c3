"""Moments and durations in the words that a person would use. Not a tag library: fluent.py calls it."""

from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

DAY = "j F Y"


def words(value: date | datetime, form: str = "humane") -> str:
    """`value` in the current time zone; a date has no time, so its forms are humane and date only."""
    if not isinstance(value, datetime):
        return _day(value, _today()) if form == "humane" else date_format(value, DAY)
    local = _local(value)
    if form == "date":
        return date_format(local, DAY)
    if form == "full":
        return date_format(local, f"{DAY}, H:i:s")
    if form == "clock":
        return date_format(local, "H:i:s" if local.date() == _today() else "j M, H:i:s")
    if form == "since":
        return _since(local)
    return _humane(local)


def full(value: date | datetime) -> str:
    """What stands in the title: everything, with the zone."""
    if not isinstance(value, datetime):
        return date_format(value, DAY)
    return date_format(_local(value), f"{DAY}, H:i:s T")


def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "—"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _humane(local: datetime) -> str:
    gone = timezone.now() - local
    if abs(gone) < timedelta(minutes=1):
        return "just now"
    if abs(gone) < timedelta(hours=1):
        minutes = _count(abs(gone) // timedelta(minutes=1), "minute")
        return f"{minutes} ago" if gone > timedelta(0) else f"in {minutes}"
    day = _day(local.date(), _today())
    near = abs((local.date() - _today()).days) < 2
    return f"{day} {date_format(local, 'H:i')}" if near else day


def _since(local: datetime) -> str:
    """What can stand after "since": "20:44", "20:44 yesterday", "12 August 2026"; never "… ago"."""
    away = (_today() - local.date()).days
    if away not in (0, 1):
        return date_format(local, DAY)
    return date_format(local, "H:i") + (" yesterday" if away else "")


def _day(day: date, today: date) -> str:
    away = (day - today).days
    near = {0: "today", -1: "yesterday", 1: "tomorrow"}
    if away in near:
        return near[away]
    if -7 < away < 0:
        return f"{-away} days ago"
    return f"in {away} days" if 0 < away < 15 else date_format(day, DAY)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _local(value: datetime) -> datetime:
    return timezone.localtime(value)


def _today() -> date:
    return timezone.localdate()
