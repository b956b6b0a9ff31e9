"""Whatever somebody writes into a block is text: it runs nothing, reads nothing, breaks nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from oscar_triggers.exceptions import TemplateError
from tests.editor.letters.conftest import block
from tests.editor.letters.test_blocks import filled
from wagtail_triggers.letter_blocks.rich_text import letter_html
from wagtail_triggers.letter_blocks.texts import refuse_broken_tags

#: Texts that ask for more than a merge tag may say.
TAGS = [
    "{{ customer.password }}",
    "{{ contact.password }}",
    "{{ contact.delete }}",
    "{{ contact.__class__ }}",
    "{{ contact.first_name.__class__.__mro__ }}",
    "{{ _contact }}",
    "{{ settings.SECRET_KEY }}",
    "{{ request.user }}",
    "{{ request.META }}",
    "{{ ''.__class__ }}",
    "{{ 7*7 }}",
    "{{ contact.first_name|ljust:50000000 }}",
    "{{ contact.first_name|safe }}",
    "{{ contact.first_name|attr:'__class__' }}",
    "{{ contact.first_name|truncate:99999999 }}",
    '{{ today|days_until:"soon" }}',
    "{{ cycler.__init__.__globals__.os }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__ }}",
    "{{ range(100000000) }}",
    "{% for a in basket.lines %}{% for b in basket.lines %}x{% endfor %}{% endfor %}",
    "{% if contact.first_name %}x{% endif %}",
    "{% include 'settings.py' %}",
    "{% load static %}",
    "{% debug %}",
    "{% extends '/etc/passwd' %}",
    "{% import os %}",
    "{# note #}",
    "{{ contact.first_name",
    "{% if",
    "{{ }}",
    "{{ basket.lines[0].title }}",
    "{{ items }}{{ items.0 }}",
]
#: Texts that want to be more than text where they stand.
MARKUP = [
    "<script>alert(1)</script>",
    '"><mj-raw><script>alert(1)</script></mj-raw>',
    "</mj-text></mj-column></mj-section><mj-section>",
    '" onclick="alert(1)',
    "<mj-include path='/etc/passwd' />",
    "<img src=x onerror=alert(1)>",
    "&lt;script&gt;",
    "]]><!--",
    "--><script>alert(1)</script>",
    "é>",
]


@pytest.mark.parametrize("text", TAGS)
def test_a_text_that_asks_for_more_is_refused_and_says_nothing_in_a_draft(
    db: None, text: str
) -> None:
    with pytest.raises(ValidationError):
        refuse_broken_tags(text)
    try:
        letter = filled([block("heading", text=f"Before {text} after", size="h1")])
    except TemplateError:
        # Refused by name: nothing is shown.
        return
    assert "Sasha" not in letter.text
    assert "Before" in letter.text
    assert "pbkdf2" not in letter.html


@pytest.mark.parametrize("text", MARKUP)
@pytest.mark.parametrize("kind", ["heading", "button", "video"])
def test_markup_in_a_plain_field_is_text(db: None, kind: str, text: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "heading": {"text": text, "size": "h1"},
        "button": {"text": text, "link": {"to": "home"}},
        "video": {"words": text, "alt": text, "address": "https://film.example/"},
    }
    html = filled([block(kind, **fields[kind])]).html.lower()
    assert "<script" not in html
    assert "<img src=x" not in html
    assert 'onclick="alert' not in html


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        '" onmouseover="alert(1)',
        "//evil.example",
        "vbscript:x",
    ],
)
def test_a_button_leads_to_the_web_or_nowhere(db: None, address: str) -> None:
    link = {"to": "address", "address": address}
    with pytest.raises(TemplateError):
        filled([block("button", text="Go", link=link)])


@pytest.mark.parametrize(
    ("stored", "made"),
    [
        ('<a linktype="merge" data-merge="contact.first_name">x</a>', "{{ contact.first_name }}"),
        (
            '<a linktype="merge" data-merge="contact.first_name" data-default="you">x</a>',
            '{{ contact.first_name|default:"you" }}',
        ),
        (
            '<a linktype="merge" data-merge="contact.first_name" data-default="a&quot; }}<b>">x</a>',
            None,
        ),
        ('<a linktype="merge" data-merge="settings.SECRET_KEY">x</a>', ""),
        ('<a linktype="merge" data-merge="contact.first_name }}{% debug %}{{ shop.name">x</a>', ""),
        ('<a linktype="merge">x</a>', ""),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a linktype="page" id="999999">x</a>', "x"),
        ('<a linktype="page" id="1 or 1=1">x</a>', "x"),
        ("<script>alert(1)</script>", ""),
        ("<!-- [if mso]> -->", ""),
        ('<p onclick="x()" style="behavior:url(x)">t</p>', '<p style="margin:0 0 12px">t</p>'),
        ("<iframe src=x></iframe>", ""),
    ],
)
def test_forged_rich_text_becomes_what_a_letter_may_hold(
    db: None, stored: str, made: str | None
) -> None:
    html = str(letter_html(stored))
    if made is None:
        assert "<b>" not in html.replace('default:"a” }}<b>"', "")
    else:
        assert html == made


@pytest.mark.parametrize(
    "value",
    [
        {"colour": 'red" onclick="x'},
        {"background": '#fff"><mj-raw>'},
        {"size": "h1 onclick=x"},
        {"align": '"><script>'},
        {"space_above": "9999999px;"},
        {"shown_to": "contact.first_name %}{{ settings }}{% if x"},
        {"shown_to": "experienced_customer", "shown_number": "NaN"},
    ],
)
def test_forged_settings_of_a_block_stay_inside_their_quotes(
    db: None, value: dict[str, str]
) -> None:
    try:
        html = filled([block("heading", **{"text": "Hi", "size": "h1", **value})]).html
    except TemplateError:
        return
    assert "onclick" not in html.replace("&quot;", '"') or 'onclick="x' not in html
    assert "<script>" not in html
