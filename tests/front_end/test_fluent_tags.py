"""The tags that pages are written in: what they render, and that they escape."""

import re
from datetime import date, datetime, timedelta

import pytest
from django import forms
from django.template import Context, Template
from django.utils import timezone

HOSTILE = "<script>alert('1')</script>"
NOON = datetime(2026, 11, 22, 12, 24, 10, tzinfo=timezone.get_fixed_timezone(0))


def render(source: str, **context) -> str:
    return Template(source).render(Context(context))


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).strip()


@pytest.fixture
def at_noon(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    with timezone.override("UTC"):
        yield


@pytest.mark.parametrize(
    "source",
    [
        '{% badge "healthy" bad %}',
        "{% badge bad %}",
        "{% icon bad %}",
        "{% copy bad label=bad %}",
        "{% copy bad lines=True %}",
        "{% avatar bad %}",
        "{% when None never=bad %}",
        "{% message bad action_url=bad action_label=bad %}{{ bad }}{% endmessage %}",
        "{% card heading=bad note=bad link=bad link_label=bad id=bad %}{{ bad }}{% endcard %}",
        "{% card heading=bad status=bad status_label=bad %}{{ bad }}{% endcard %}",
        "{% error_summary bad form %}",
    ],
)
def test_every_tag_escapes_what_it_is_given(source):
    html = render(source, bad=HOSTILE, form=Registration({}, prefix='"><script>'))
    assert "<script" not in html


def test_markup_inside_a_block_tag_stays_markup():
    assert "<p><b>x</b></p>" in render("{% card %}<p><b>x</b></p>{% endcard %}")
    assert "<strong>Saved.</strong>" in render("{% message %}<strong>Saved.</strong>{% endmessage %}")


def test_an_icon_points_into_the_sprite_and_is_hidden_from_screen_readers():
    html = render('{% icon "wrench" %}')
    assert 'href="/static/icons.svg#wrench"' in html
    assert 'aria-hidden="true"' in html
    assert '#wrench-filled"' in render('{% icon "wrench" filled=True %}')
    assert '#chevron-right-12"' in render('{% icon "chevron-right" 12 %}')


@pytest.mark.parametrize(
    ("state", "tone", "shape", "words"),
    [
        ("healthy", "success", "checkmark-circle", "Healthy"),
        ("refused-by-endpoint", "danger", "error-circle", "Refused by endpoint"),
        ("Consent needed", "warning", "warning", "Consent needed"),
        ("in_progress", "brand", "info", "In progress"),
        ("not_checked", "neutral", "circle", "Not checked"),
        ("a state nobody listed", "neutral", "circle", "A state nobody listed"),
    ],
)
def test_a_badge_says_its_state_in_colour_shape_and_word(state, tone, shape, words):
    html = render("{% badge state %}", state=state)
    assert f'data-status="{tone}"' in html
    assert f"#{shape}-12" in html
    assert text(html) == words


def test_a_message_of_an_error_is_an_alert_and_any_other_a_status():
    assert 'role="alert"' in render('{% message "error" %}x{% endmessage %}')
    assert 'role="status"' in render('{% message "warning" %}x{% endmessage %}')


def test_djangos_message_levels_become_statuses():
    assert 'data-status="neutral"' in render('{% message "info" %}x{% endmessage %}')
    assert 'data-status="success"' in render('{% message "success" %}x{% endmessage %}')


def test_a_card_shows_its_note_badge_and_link_beside_the_heading():
    html = render('{% card heading="Keys" note="2 of 2" status="allowed" link="/x" link_label="All" %}y{% endcard %}')
    assert "<h2>Keys</h2>" in html
    assert text(html) == "Keys2 of 2AllowedAlly"
    assert '<a href="/x">All</a>' in html


def test_a_copy_field_keeps_the_exact_text_and_hides_its_button_until_script_runs():
    html = render("{% copy value lines=True %}", value="curl \\\n  -H 'x'")
    assert "<pre>curl \\\n  -H &#x27;x&#x27;</pre>" in html
    assert re.search(r"<button[^>]* data-copy hidden>", html)


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Ana Ruiz", "AR"), ("ana.ruiz@contoso.example", "AR"), ("Maria de la Cruz", "MC"), ("Bo", "B"), ("", "?")],
)
def test_an_avatar_shows_initials(name, initials):
    assert text(render("{% avatar name %}", name=name)) == initials


def test_an_avatars_hue_is_the_same_on_every_page():
    hues = [re.search(r'data-hue="(\d)"', render("{% avatar 'Ana Ruiz' size %}", size=s))[1] for s in (20, 28)]
    assert hues == ["3", "3"]


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=-20), "just now"),
        (timedelta(minutes=-1), "1 minute ago"),
        (timedelta(minutes=-3), "3 minutes ago"),
        (timedelta(hours=-3), "today 09:24"),
        (timedelta(hours=-20), "yesterday 16:24"),
        (timedelta(days=-3), "3 days ago"),
        (timedelta(days=-102), "12 August 2026"),
        (timedelta(minutes=5), "in 5 minutes"),
        (timedelta(hours=22), "tomorrow 10:24"),
        (timedelta(days=6), "in 6 days"),
        (timedelta(days=60), "21 January 2027"),
    ],
)
def test_moments_are_said_as_a_person_would(at_noon, away, words):
    assert text(render("{% when moment %}", moment=NOON + away)) == words


def test_a_moment_is_shown_in_the_readers_zone_with_the_full_time_in_its_title(at_noon):
    with timezone.override("Europe/Madrid"):
        html = render('{% when moment "clock" %}', moment=NOON)
    assert text(html) == "13:24:10"
    assert 'title="22 November 2026, 13:24:10 CET"' in html
    assert 'datetime="2026-11-22T12:24:10+00:00"' in html


@pytest.mark.parametrize(
    ("away", "words"),
    [(timedelta(0), "12:24"), (timedelta(days=-1), "12:24 yesterday"), (timedelta(days=-2), "20 November 2026")],
)
def test_what_follows_since_is_a_moment_and_never_a_distance(at_noon, away, words):
    assert text(render('{% when moment "since" %}', moment=NOON + away)) == words


def test_the_readers_midnight_decides_what_yesterday_is(at_noon):
    moment = NOON.replace(hour=2)
    assert text(render("{% when moment %}", moment=moment)) == "today 02:24"
    with timezone.override("America/New_York"):
        assert text(render("{% when moment %}", moment=moment)) == "yesterday 21:24"


def test_dates_nothing_and_starts_of_cells_have_words_too(at_noon):
    assert text(render("{% when day %}", day=date(2026, 11, 28))) == "in 6 days"
    assert text(render('{% when day "date" %}', day=date(2026, 11, 28))) == "28 November 2026"
    assert render("{% when None start=True %}") == "Never"
    assert text(render("{% when moment start=True %}", moment=NOON)) == "Just now"


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (None, "—"),
        (0, "0 ms"),
        (88, "88 ms"),
        (999.7, "1.0 s"),
        (1234, "1.2 s"),
        (59_970, "1 min"),
        (125_000, "2 min 5 s"),
    ],
)
def test_durations_have_their_unit(milliseconds, words):
    assert render("{% duration ms %}", ms=milliseconds) == words


class Registration(forms.Form):
    name = forms.CharField(label="Name", help_text="3 to 33 letters.")
    who = forms.ChoiceField(label="For", choices=[("all", "Everyone"), ("some", "Some")], widget=forms.RadioSelect)
    agree = forms.BooleanField(label="Agree", required=False)

    def clean(self):
        self.add_error(None, "Both are needed <together>.")


def test_the_error_summary_links_to_every_field_that_needs_a_change():
    html = render('{% error_summary "The agent was not saved." form %}', form=Registration({}))
    assert 'role="alert" tabindex="-1"' in html
    assert "The agent was not saved. 2 fields need a change:" in html
    assert 'href="#id_name">Name: This field is required.' in html
    assert 'href="#id_who_0"' in html
    assert "Both are needed &lt;together&gt;." in html


def test_a_form_without_errors_has_no_summary():
    assert render('{% error_summary "x" form %}', form=Registration()).strip() == ""


def test_every_link_of_the_error_summary_leads_to_a_control_of_the_form():
    html = render('{% error_summary "x" form %}{{ form }}', form=Registration({}))
    targets = re.findall(r'href="#([^"]+)"', html.split('<div class="fields">')[0])
    assert targets == ["id_name", "id_who_0"]
    assert all(f'id="{target}"' in html for target in targets)


def test_a_field_has_its_label_hint_and_error_wired_for_screen_readers():
    html = Registration({}).as_div()
    control = re.search(r"<input[^>]*id=\"id_name\"[^>]*>", html)[0]
    assert 'aria-invalid="true"' in control
    assert set(re.search(r'aria-describedby="([^"]*)"', control)[1].split()) == {"id_name_helptext", "id_name_error"}
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert '<label for="id_name">Name' in html


def test_a_fields_hint_follows_its_control_and_its_error():
    html = Registration({}).as_div()
    places = [html.index(part) for part in ('id="id_name"', 'id="id_name_error"', 'id="id_name_helptext"')]
    assert places == sorted(places)
