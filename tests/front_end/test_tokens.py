"""The stylesheets and the tokens they are written in: all defined, all used, readable in both schemes."""

import re

import pytest
from django.conf import settings

CSS = settings.BASE_DIR / "static/css"
SHEETS = "\n".join((CSS / name).read_text() for name in ("base.css", "components.css"))
TOKENS = dict(re.findall(r"--(\w+): (.+);", (CSS / "tokens.css").read_text()))
LIGHT, DARK = 0, 1


def colour(token: str, scheme: int) -> str:
    both = re.fullmatch(r"light-dark\((#\w+), (#\w+)\)", TOKENS[token])
    return both.group(scheme + 1) if both else TOKENS[token]


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_every_custom_property_that_is_used_is_defined():
    used = set(re.findall(r"var\(--([\w-]+)", SHEETS))
    defined = set(TOKENS) | set(re.findall(r"--([\w-]+):", SHEETS))
    assert used
    assert used <= defined


def test_no_token_is_shipped_that_no_rule_uses():
    assert set(TOKENS) <= set(re.findall(r"var\(--([\w-]+)", SHEETS))


def test_no_rule_names_a_colour_of_its_own():
    rules = re.sub(r"url\([^)]*\)|img\.qr \{[^}]*\}|--select-chevron:[^;]*;", "", SHEETS)
    assert not re.findall(r":[^;{}]*#[0-9a-f]{3,8}\b|rgba?\(", rules, re.I)


def test_braces_are_balanced():
    assert SHEETS.count("{") == SHEETS.count("}")


TEXT_ON_GROUND = [
    *((f"colorStatus{tone}Foreground1", f"colorStatus{tone}Background1") for tone in ("Success", "Warning", "Danger")),
    *(("colorNeutralForeground1", f"colorStatus{tone}Background1") for tone in ("Success", "Warning", "Danger")),
    ("colorBrandForeground2", "colorBrandBackground2"),
    ("colorNeutralForeground1", "colorBrandBackground2"),
    ("colorNeutralForeground3", "colorBrandBackground2"),
    ("colorNeutralForeground2", "colorNeutralBackground4"),
    ("colorNeutralForeground1", "colorNeutralBackground3"),
    *(("colorNeutralForeground3", f"colorNeutralBackground{n}") for n in (1, 2, 3, 4)),
    ("colorBrandForegroundLink", "colorNeutralBackground1"),
    ("colorBrandForegroundLink", "colorNeutralBackground2"),
    ("colorPaletteRedForeground1", "colorNeutralBackground1"),
    ("colorNeutralForegroundOnBrand", "colorBrandBackground"),
    *(
        (f"colorPalette{hue}Foreground2", f"colorPalette{hue}Background2")
        for hue in ("Cornflower", "Plum", "Steel", "Teal", "Forest", "Marigold", "Lavender", "Pumpkin")
    ),
]


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("pair", TEXT_ON_GROUND, ids=" on ".join)
def test_text_is_readable_on_its_ground(pair, scheme):
    assert contrast(*(colour(token, scheme) for token in pair)) >= 4.5
