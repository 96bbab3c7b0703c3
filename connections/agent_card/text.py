"""Texts of a card, fit to be shown. They are the endpoint's, and nobody has verified them (T27, T30)."""

import unicodedata
from typing import Any

# Controls, formats (bidirectional overrides, zero-width and tag characters), surrogates, private use, separators
# of lines and paragraphs: what can make a text look like another one, or a log line like two (T29).
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def shown(value: Any, length: int) -> str:
    """One line of visible characters, at most `length` of them; "" for what is no string."""
    if not isinstance(value, str):
        return ""
    # Cut before the work is done, and again after it.
    visible = "".join(" " if unicodedata.category(letter) in _HIDDEN else letter for letter in value[: 4 * length])
    line = " ".join(visible.split())
    return line if len(line) <= length else line[: length - 3].rstrip() + "..."
