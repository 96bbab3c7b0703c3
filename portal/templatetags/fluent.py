"""The tags that pages are written in: icons, badges, messages, cards, copy fields, people and times.

They are built into the template engine (settings.TEMPLATES), so no template loads them.
"""

from zlib import crc32

from django import template
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from portal.audit.readable import readable
from portal.templatetags import moments, states

register = template.Library()

# Drawn for 12 px in static/icons.svg; every other icon is the 20 px drawing, scaled.
DRAWN_SMALL = frozenset(
    {
        *("arrow-down", "arrow-up", "checkmark-circle", "chevron-down", "chevron-right"),
        *("circle", "error-circle", "info", "subtract-circle", "warning"),
    }
)
HUES = 8


@register.simple_tag
def icon(name: str, size: int = 20, filled: bool = False) -> SafeString:
    """An icon beside words, hidden from screen readers: a symbol of static/icons.svg, `size` in px."""
    symbol = f"{name}-filled" if filled else name
    if size <= 12 and name in DRAWN_SMALL:
        symbol = f"{name}-12"
    return format_html(
        '<svg class="icon" width="{0}" height="{0}" aria-hidden="true"><use href="{1}#{2}"/></svg>',
        size,
        static("icons.svg"),
        symbol,
    )


@register.simple_tag
def badge(status: str, label: str = "", plain: bool = False) -> SafeString:
    """A state as colour, shape and word: a state of states.py or a tone; `plain` leaves the shape out."""
    tone = states.tone_of(status)
    return format_html(
        '<span class="badge" data-status="{}"{}>{}{}</span>',
        tone,
        mark_safe(" data-plain") if plain else "",  # noqa: S308 - a constant
        "" if plain else icon(states.TONES[tone], 12),
        label or states.words(status),
    )


@register.simple_block_tag
def message(content: str, status: str = "neutral", action_url: str = "", action_label: str = "") -> str:
    """A message bar: neutral, success, warning or error, with at most one small button that leads away."""
    status = status if status in states.MESSAGES else "neutral"
    action = format_html('<a class="button" data-size="small" href="{}">{}</a>', action_url, action_label)
    return format_html(
        '<div class="message" data-status="{}" role="{}">{}<div class="message-text">{}</div>{}</div>',
        status,
        "alert" if status == "error" else "status",
        icon(states.MESSAGES[status]),
        content,
        action if action_url else "",
    )


@register.simple_block_tag
def card(
    content: str,
    heading: str = "",
    *,
    note: str = "",
    link: str = "",
    link_label: str = "",
    status: str = "",
    status_label: str = "",
    flush: bool = False,
    id: str = "",  # noqa: A002 - the attribute's own name
) -> SafeString:
    """A section with its heading; at the heading's right a note, a badge or a link. `flush` is for tables."""
    head = [format_html("<h2>{}</h2>", heading)]
    if note:
        head.append(format_html('<span class="hint">{}</span>', note))
    if status:
        head.append(badge(status, status_label))
    if link:
        head.append(format_html('<a href="{}">{}</a>', link, link_label))
    return format_html(
        '<section class="card"{}{}>{}{}</section>',
        mark_safe(" data-flush") if flush else "",  # noqa: S308 - a constant
        format_html(' id="{}"', id) if id else "",
        format_html('<div class="card-head">{}</div>', format_html_join("", "{}", ((part,) for part in head)))
        if heading
        else "",
        content,
    )


@register.simple_tag
def copy(value: object, label: str = "", lines: bool = False) -> SafeString:
    """Text to take away: one click selects all of it, and script adds a button. `lines` keeps line breaks."""
    return format_html(
        '<div class="copy-field">{}<div class="copy">{}'
        '<button type="button" class="button" data-appearance="subtle" data-copy hidden>{}'
        '<span aria-live="polite">Copy</span></button></div></div>',
        format_html('<span class="copy-label">{}</span>', label) if label else "",
        format_html("<pre>{}</pre>" if lines else "<code>{}</code>", value),
        icon("copy"),
    )


@register.simple_tag
def check_icon(state: str) -> SafeString:
    """The shape of a checklist line: done, warning, failed, open, or none ("in no role")."""
    return icon(states.CHECKS.get(state, "circle"))


@register.simple_tag
def avatar(person: object, size: int = 28) -> SafeString:
    """Initials on one of eight hues; decoration beside the name, so hidden from screen readers."""
    initials = initials_of(str(getattr(person, "name", "") or person))
    return format_html(
        '<span class="avatar" data-hue="{}" data-size="{}" aria-hidden="true">{}</span>',
        crc32(initials.encode()) % HUES,
        size,
        initials,
    )


def initials_of(name: str) -> str:
    words = [word for word in name.split("@")[0].replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.simple_tag
def cut(text: object, length: int = 60) -> SafeString:
    """Somebody else's words as text only, on one line; longer ones are cut, with all of them in the title."""
    whole = readable(str(text))
    if len(whole) <= length:
        return format_html("{}", whole)
    return format_html('<span title="{}">{}…</span>', whole, whole[: length - 1].rstrip())


@register.simple_tag
def when(value: object, form: str = "humane", start: bool = False, never: str = "never") -> SafeString:
    """A moment as `<time>`, in the reader's zone, with the full time in its title.

    `form`: humane ("3 minutes ago"), clock ("12:24:08", with the day when it is another one), since
    ("20:44 yesterday"), date ("12 August 2026") or full. `start` writes it as the start of a sentence or a
    cell. No moment at all reads as `never`.
    """
    if not value:
        return format_html("{}", _opening(never) if start else never)
    words = moments.words(value, form)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        moments.full(value),
        _opening(words) if start else words,
    )


def _opening(words: str) -> str:
    return words[:1].upper() + words[1:]


@register.simple_tag
def duration(milliseconds: float | None) -> str:
    """ "88 ms", "1.2 s", "2 min 5 s"; a dash where nothing was measured."""
    return moments.duration(milliseconds)


@register.inclusion_tag("fluent/error_summary.html")
def error_summary(title: str, *forms) -> dict:
    """What must change before the form is saved, each line a link to its field; nothing without errors."""
    general, fields = [], []
    for form in forms:
        if form is None or not form.is_bound:
            continue
        general += form.non_field_errors()
        fields += [line for bound in form if bound.errors for line in _lines(bound)]
    count = len({line["id"] for line in fields})
    return {"title": title, "general": general, "fields": fields, "count": count}


def _lines(bound) -> list[dict]:
    target = f"{bound.auto_id}_0" if bound.use_fieldset else bound.auto_id
    return [{"id": target, "label": bound.label, "error": error} for error in bound.errors]
