"""What holds for every template of the project: nothing inline, every icon drawn, every page renders alone."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template, render_to_string

from portal.navigation import PAGES
from portal.templatetags import states

TEMPLATES = sorted(
    path
    for folder in ("templates", "portal", "connections", "consent")
    for path in (settings.BASE_DIR / folder).rglob("*.html")
)
ICON = re.compile(r"""\{% icon ["']([\w-]+)["']([^%]*)%\}""")


def sprite() -> set[str]:
    return set(re.findall(r'<symbol id="([^"]+)"', (settings.BASE_DIR / "static/icons.svg").read_text()))


def named(path: Path) -> str:
    return str(path.relative_to(settings.BASE_DIR))


def test_there_are_templates_to_look_at():
    assert len(TEMPLATES) > 40
    assert sum(len(ICON.findall(path.read_text())) for path in TEMPLATES) > 10


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_no_template_has_an_inline_style_script_or_handler(path):
    source = path.read_text()
    assert not re.search(r"<style\b|\sstyle\s*=", source, re.I)
    assert not re.search(r"\son[a-z]+\s*=", re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", source), re.I)
    assert "javascript:" not in source.lower()
    assert all("src=" in tag for tag in re.findall(r"<script\b[^>]*>", source, re.I))


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_nothing_is_loaded_from_elsewhere(path):
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", path.read_text())


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_template_compiles(path):
    get_template(str(path.relative_to(settings.BASE_DIR / "templates")) if "templates" in path.parts else str(path))


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_icon_that_a_template_names_is_in_the_sprite(path):
    for name, rest in ICON.findall(path.read_text()):
        assert name in sprite()
        if "filled=" in rest:
            assert f"{name}-filled" in sprite()


def test_every_icon_of_the_pane_is_drawn_at_rest_and_filled():
    for page in PAGES:
        assert {page.icon, f"{page.icon}-filled"} <= sprite()


def test_every_icon_that_the_tags_choose_is_in_the_sprite():
    assert {f"{shape}-12" for shape in states.TONES.values()} <= sprite()
    assert {*states.MESSAGES.values(), *states.CHECKS.values(), "copy", "mark"} <= sprite()


def test_the_sprite_is_only_shapes():
    source = (settings.BASE_DIR / "static/icons.svg").read_text()
    assert not re.search(r"<script|\son[a-z]+=|href=|<style", source, re.I)


@pytest.mark.parametrize("name", ["400.html", "500.html", "503.html"])
def test_pages_of_last_resort_render_from_nothing(name):
    html = render_to_string(name)
    assert "<h1>" in html
    assert "{%" not in html
    for path in re.findall(r'(?:href|src)="/static/([^"#]+)', html):
        assert (settings.BASE_DIR / "static" / path).is_file()


@pytest.mark.parametrize("name", ["403.html", "404.html"])
def test_refusals_render_without_a_request(name):
    assert "<h1>" in render_to_string(name)


def test_a_refusal_names_the_role_that_would_do_and_who_can_give_it():
    html = render_to_string(
        "403.html",
        {
            "what": "Open the access log",
            "project": {"name": "contoso-support"},
            "needed_roles": ["Auditor"],
            "had_roles": ["Azure AI User"],
            "givers": [{"name": "Ana <b>Ruiz", "email": "ana@contoso.example", "role": "Owner"}],
            "ask_for": "Auditor on contoso-support for ben@contoso.example",
            "request_id": "req_1",
        },
    )
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
    assert "You can't open the access log in contoso-support" in words
    assert "You need the Auditor role on this project. You have Azure AI User." in words
    assert "Ana &lt;b&gt;Ruiz" in html
    assert "Auditor on contoso-support for ben@contoso.example" in words


def test_a_confirmation_names_every_consequence_and_asks_for_the_name():
    html = render_to_string(
        "confirm.html",
        {
            "title": "Delete ledger-agent?",
            "consequences": ["support-bot uses it.", "The value is destroyed."],
            "action_label": "Delete connection",
            "cancel_url": "/back",
            "confirm_word": "ledger-agent",
        },
    )
    assert "support-bot uses it." in html
    assert "The value is destroyed." in html
    assert 'name="confirm_word"' in html
    assert 'href="/back">Cancel' in html


@pytest.mark.parametrize("path", sorted((settings.BASE_DIR / "static/js").glob("*.js")), ids=lambda path: path.name)
def test_scripts_never_make_markup_or_code_from_text(path):
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", path.read_text()
    )
