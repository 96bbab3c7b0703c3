"""What was found beside what was typed: empty fields are filled, and nothing else changes without being said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from connections.agent_card.text import shown
from consent.discovery.ways import ADDRESSES, ANCHORS, Value, Way
from consent.forms import OAuthSettings

# FILLED also stands for a default that nobody chose.
FILLED, SAME, KEPT, REPLACED, EMPTIED = "filled", "same", "kept", "replaced", "emptied"


@dataclass(frozen=True)
class Line:
    """One field: `text` is what was found, `was` what stood there. `state` is one of the words above."""

    label: str
    text: str
    source: str
    state: str
    was: str = ""


@dataclass(frozen=True)
class Filling:
    """`settings` are the fields that change; `is_other` where what was typed belongs to another server."""

    settings: dict[str, Any]
    lines: list[Line]
    is_other: bool

    @property
    def keeps_some(self) -> bool:
        return any(line.state == KEPT for line in self.lines)


def filling(way: Way, typed: Mapping[str, Any], *, replaces: bool) -> Filling:
    """`replaces`: somebody chose this way, so it goes before what was typed."""
    is_other = not replaces and any(_differs(way, name, typed) for name in ANCHORS)
    settings: dict[str, Any] = {}
    lines: list[Line] = []
    for value in way.values.values():
        line = _line(value, typed, replaces=replaces, fills=not is_other)
        lines.append(line)
        if line.state in (FILLED, REPLACED):
            settings[value.name] = _joined(value, typed)
    if replaces:
        # A token must not go to an address of the server that was there before.
        for name in ADDRESSES:
            if _current(typed, name) and name not in way.values:
                settings[name] = ""
                lines.append(Line(_field(name).label, "", "", EMPTIED, _text(name, typed.get(name))))
    return Filling(settings, lines, is_other)


def _line(value: Value, typed: Mapping[str, Any], *, replaces: bool, fills: bool) -> Line:
    current = _current(typed, value.name)
    was = _text(value.name, typed.get(value.name))
    if current == _clean(value.name, value.value):
        state, was = SAME, ""
    elif value.name == "scope_words" and fills:
        state, was = _words_state(value, current), ""
    elif not current or _is_default(value.name, current):
        state, was = (FILLED if fills else KEPT), ""
    else:
        state = REPLACED if replaces else KEPT
    return Line(value.label, _text(value.name, value.value), value.source, state, was)


def _words_state(value: Value, current: Mapping[str, str]) -> str:
    return SAME if set(value.value) <= set(current) else FILLED


def _joined(value: Value, typed: Mapping[str, Any]) -> Any:
    """Sentences that somebody wrote stay, and those for further scopes join them."""
    return value.value | _current(typed, value.name) if value.name == "scope_words" else value.value


def _differs(way: Way, name: str, typed: Mapping[str, Any]) -> bool:
    current = _current(typed, name)
    return bool(current) and name in way.values and current != _clean(name, way.get(name))


def _is_default(name: str, current: Any) -> bool:
    return current == _field(name).initial


def _current(typed: Mapping[str, Any], name: str) -> Any:
    return _clean(name, typed.get(name))


def _clean(name: str, value: Any) -> Any:
    """As it is compared: scopes in any order and white space are the same."""
    if name == "scopes":
        return sorted(value.split() if isinstance(value, str) else value or [])
    if name == "scope_words":
        return _words(value)
    return (value or "").strip() if isinstance(value or "", str) else value


def _words(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return value
    try:
        return _field("scope_words").to_python(value)
    except forms.ValidationError:
        return {}


def _text(name: str, value: Any) -> str:
    """As the form would show it, on one line."""
    choices = dict(getattr(_field(name), "choices", ()))
    prepared = choices.get(value) if choices else _field(name).prepare_value(value)
    return shown(str(prepared or "").replace("\n", "; "), 400)


def _field(name: str) -> forms.Field:
    return OAuthSettings.base_fields[name]
