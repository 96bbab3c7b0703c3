"""Plain HTML pages of the demo's endpoint, from small templates with every value escaped."""

from html import escape
from pathlib import Path
from string import Template

# form-action is left out: Chromium applies it to the redirect back to a client too.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
}


def filled(template: Path, html: dict[str, str] | None = None, **texts: str) -> str:
    """The template with `texts` escaped and `html` as it is."""
    escaped = {key: escape(text) for key, text in texts.items()}
    return Template(template.read_text()).substitute(escaped, **(html or {}))
