"""Text that somebody else wrote, as a person can safely read it (T29)."""

import unicodedata

# Besides all control characters: marks that turn the reading direction, and what takes no room but splits a word.
_HIDDEN = {*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x061C, 0xFEFF, 0x180E}
# Joiners shape letters in Persian, Hindi and emoji and can't reorder anything.
_KEPT = {0x200C, 0x200D}


def readable(text: str) -> str:
    """`text` on one line, without control and direction characters: what is shown is what is there."""
    return " ".join("".join(_shown(letter) for letter in text).split())


def _shown(letter: str) -> str:
    if letter in "\t\r\n\u2028\u2029":
        return " "
    hidden = ord(letter) in _HIDDEN - _KEPT or unicodedata.category(letter) == "Cc"
    return "" if hidden else letter
