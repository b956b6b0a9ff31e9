"""Whatever an author writes, mrml never takes the process along."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time

import pytest

from oscar_triggers.content import mjml, rendering
from oscar_triggers.content.compiling import compile_in_subprocess, compile_letter
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.exceptions import TemplateError
from tests.content.letters import KNOWN, compiled, in_column, refusal, values


def html_of(body: str) -> str:
    """Return a letter's HTML, filled with the sample values."""
    return rendering.fill(compiled(body), values(), language="ru", time_zone="").html


def test_a_bare_greater_than_sign_after_cyrillic_text_renders_right() -> None:
    html = html_of(in_column('<mj-button href="https://a.example">Далее > ещё</mj-button>'))
    assert ">Далее &gt; ещё</a>" in html


@pytest.mark.parametrize(
    "body",
    [
        "<mjml><mj-head><mj-title>Скидка > 10%</mj-title></mj-head><mj-body></mj-body></mjml>",
        in_column("<mj-text>é > e 🎁> </mj-text>"),
        in_column('<mj-image src="https://a.example/é>.png" alt="é > e" />'),
    ],
)
def test_signs_that_make_mrml_panic_are_harmless(body: str) -> None:
    assert "&gt;" in html_of(body)


def test_deep_nesting_is_refused_and_kills_nothing() -> None:
    body = (
        "<mjml><mj-body>" + "<mj-section>" * 2_000 + "</mj-section>" * 2_000 + "</mj-body></mjml>"
    )
    assert refusal(body).problems
    divs = in_column("<mj-text>" + "<div>" * 2_000 + "</div>" * 2_000 + "</mj-text>")
    assert any("64" in problem.message for problem in refusal(divs).problems)


def test_a_carousel_of_280_kilobytes_is_refused_at_once() -> None:
    image = '<mj-carousel-image src="https://a.example/1" alt="" />'
    body = in_column(f"<mj-carousel>{image * 5_000}</mj-carousel>")
    assert len(body) > 250_000
    started = time.monotonic()
    assert "200000" in str(refusal(body))
    assert time.monotonic() - started < 1


def test_a_carousel_of_many_pictures_is_refused() -> None:
    image = '<mj-carousel-image src="https://a.example/1" alt="" />'
    assert "30" in str(refusal(in_column(f"<mj-carousel>{image * 31}</mj-carousel>")))


def test_a_letter_of_too_many_elements_is_refused() -> None:
    body = "<mjml><mj-body>" + "<mj-section></mj-section>" * 4_000 + "</mj-body></mjml>"
    assert "3000" in str(refusal(body))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("<mj-text>a < b</mj-text>", "&lt;"),
        ("<mj-text><script>x</script></mj-text>", "script"),
        ('<mj-text><iframe src="https://a.example"></iframe></mj-text>', "iframe"),
        ('<mj-button href="javascript:alert(1)">x</mj-button>', "https://"),
        ('<mj-text><a href=" java&#115;cript:x">x</a></mj-text>', "https://"),
        ('<mj-text><a href="/basket/">x</a></mj-text>', "https://"),
        ('<mj-image src="https://a.example/x.png" />', "alt"),
        ('<mj-text><img src="https://a.example/x.png"></mj-text>', "alt"),
        ('<mj-text onclick="x">x</mj-text>', "onclick"),
        ('<mj-text><b onmouseover="x">x</b></mj-text>', "onmouseover"),
        ('<mj-include path="/etc/passwd" />', "mj-include"),
        ("<mj-texte>x</mj-texte>", "mj-texte"),
        ("<mj-text>x</mj-text>loose", "loose"),
        ("{{ contact.first_name }}", "mj-text"),
        ('<mj-image width="{{ basket.count }}px" src="https://a.example/x" alt="" />', "width"),
        ("<mj-text {{ shop.name }}>x</mj-text>", "quotes"),
        ("<mj-text><a {% if shop.name %}>x</a>{% endif %}</mj-text>", "quotes"),
        (
            '<mj-social>{% if shop.name %}<mj-social-element name="facebook" alt="f" '
            'href="https://a.example">x</mj-social-element>{% endif %}</mj-social>',
            "mj-social",
        ),
        ("<mj-text>{% if shop.name %}<b>{% endif %}x</b></mj-text>", "another element"),
        ('<mj-text><b title="{% if shop.name %}">x</b>{% endif %}</mj-text>', "title"),
        ("<mj-text><!--[if mso]>x<![endif]--></mj-text>", "Outlook"),
        ("<mj-text><b>x</mj-text>", "<b>"),
        ("<mj-text>x</b></mj-text>", "</b>"),
        ("<mj-text>x", "mj-text"),
        ("<mj-text style='color: expression(1)'>x</mj-text>", "mailboxes"),
        ("<mj-text><svg></svg></mj-text>", "svg"),
        ("<mj-text><!-- open</mj-text>", "-->"),
        ("<mj-section></mj-section>", "mj-section"),
    ],
)
def test_what_cannot_survive_is_refused_by_name(content: str, named: str) -> None:
    error = refusal(in_column("\n\n" + content))
    assert named in str(error)
    assert any(problem.line == 3 for problem in error.problems)
    assert all(problem.where == "body" for problem in error.problems)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "<!doctype html><mjml><mj-body></mj-body></mjml>",
        "<?xml version='1'?><mjml></mjml>",
    ],
)
def test_what_is_no_mjml_is_refused(body: str) -> None:
    assert refusal(body).problems


def test_columns_around_an_if_need_a_width() -> None:
    column = "{% if shop.name %}<mj-column><mj-text>x</mj-text></mj-column>{% endif %}"
    body = (
        f"<mjml><mj-body><mj-section>{column}<mj-column></mj-column></mj-section></mj-body></mjml>"
    )
    assert str(refusal(body)).count("width") == 2


def test_styles_cannot_hold_merge_tags() -> None:
    head = "<mj-head><mj-style>a { color: {{ shop.color }} }</mj-style></mj-head>"
    assert "mj-style" in str(refusal(f"<mjml>{head}<mj-body></mj-body></mjml>"))


def test_a_child_combinator_reaches_the_letter_as_it_is() -> None:
    head = "<mj-head><mj-style>/* ещё */ .a > .b { color: red }</mj-style></mj-head>"
    assert ".a > .b { color: red }" in html_of(f"<mjml>{head}<mj-body></mj-body></mjml>")


def test_an_authors_notes_are_never_sent() -> None:
    html = html_of(in_column("<!-- secret {{ nonsense }} --><mj-text>x</mj-text>"))
    assert "secret" not in html
    assert "nonsense" not in html


def test_the_space_between_two_words_is_kept() -> None:
    assert "<b>a</b> <i>b</i>" in html_of(in_column("<mj-text><b>a</b> <i>b</i></mj-text>"))


def test_the_letter_names_its_language_and_direction() -> None:
    assert (
        'lang="ru" dir="ltr"'
        in rendering.fill(
            compiled(in_column("<mj-text>x</mj-text>"), language="ru"),
            {},
            language="",
            time_zone="",
        ).html
    )
    hebrew = compiled(in_column("<mj-text>x</mj-text>"), language="he")
    assert 'lang="he" dir="rtl"' in rendering.fill(hebrew, {}, language="", time_zone="").html


def test_no_letter_loads_a_font_from_somebody_else() -> None:
    assert "fonts.googleapis" not in html_of(in_column("<mj-text>x</mj-text>"))


def test_one_character_edits_of_a_russian_letter_never_escape_the_guard() -> None:
    source = in_column(
        "<mj-text>Здравствуйте, <b>{{ contact.first_name }}</b>! Это — «проверка»</mj-text>"
        '<mj-button href="{{ links.basket }}">Вернуться</mj-button>'
    )
    dice = random.Random(20)
    for _number in range(400):
        position = dice.randrange(len(source))
        edited = (
            source[:position]
            + dice.choice("<>\"'/=& {}%é🎁")
            + source[position + dice.choice((0, 1)) :]
        )
        with contextlib.suppress(TemplateError):
            compile_letter(LetterSource(subject="s", body=edited, language="ru"), known=KNOWN)


def test_a_preview_is_compiled_in_a_process_of_its_own() -> None:
    body = in_column("<mj-text>Привет > {{ contact.first_name }}</mj-text>")
    source = LetterSource(subject="s", body=body, language="ru")
    here = compile_letter(source, known=KNOWN)
    there = compile_in_subprocess(source, known=KNOWN)
    assert there.to_json() == here.to_json()


def test_a_compiler_that_dies_leaves_a_clear_message() -> None:
    deep = "<mjml><mj-body>" + "<mj-section>" * 20_000 + "</mj-body></mjml>"
    with pytest.raises(TemplateError, match="died"):
        mjml.run_in_process(deep)


def test_a_compiler_that_takes_too_long_is_stopped() -> None:
    image = '<mj-carousel-image src="https://a.example/1" alt="" />'
    with pytest.raises(TemplateError, match=r"seconds|died"):
        mjml.run_in_process(in_column(f"<mj-carousel>{image * 10_000}</mj-carousel>"), seconds=0.5)


def test_a_panic_inside_mrml_is_an_ordinary_refusal() -> None:
    program = (
        "from django.conf import settings; settings.configure(USE_I18N=False)\n"
        "from oscar_triggers.content import mjml\n"
        "from oscar_triggers.exceptions import TemplateError\n"
        "try: mjml.run_here('<mjml><mj-head></m>🎁>')\n"
        "except TemplateError as error: print('refused', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused")
