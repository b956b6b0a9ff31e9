"""The language of letters is small, and refuses everything else by name and line."""

from __future__ import annotations

import pytest

from oscar_triggers.content import rendering
from tests.content.letters import compiled, euros, in_column, refusal, values


def said(text: str, language: str = "en", **changes: object) -> str:
    """Return what a plain text part says."""
    letter = compiled(in_column("<mj-text>-</mj-text>"), text=text)
    filled = rendering.fill(letter, values(**changes), language=language, time_zone="Asia/Tokyo")
    return filled.text.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello {{ contact.first_name }}!", "Hello Zoë!"),
        ('{{ contact.first_name|upper|default:"friend" }}', "ZOË"),
        ("{{ contact.first_name|lower }}", "zoë"),
        ('{{ shop.name|truncate:"8" }}', "Kettle…"),
        (
            "{% if basket.count > 2 %}many{% elif basket.count == 2 %}two{% else %}few{% endif %}",
            "many",
        ),
        ("{% if not contact.first_name or shop.name == 'x' %}a{% else %}b{% endif %}", "b"),
        ("{% if contact.first_name and basket.count >= 3 %}a{% endif %}", "a"),
        ("{% if basket.total > 1000 %}rich{% endif %}", "rich"),
        (
            "{% for line in basket.lines %}{{ loop.index }}. {{ line.title }}"
            "{% if not loop.last %}; {% endif %}{% endfor %}",
            "1. Enamel mug <blue>; 2. Палатка",
        ),
        ('{{ basket.count }} {{ basket.count|plural:"item,items" }}', "3 items"),
    ],
)
def test_a_text_says_what_its_author_meant(text: str, expected: str) -> None:
    assert said(text) == expected


def test_a_missing_name_is_replaced_by_the_default() -> None:
    text = 'Hello {{ contact.first_name|default:"friend" }}'
    assert said(text, contact={"first_name": "  "}) == "Hello friend"
    assert said(text, contact={}) == "Hello friend"


def test_money_and_dates_speak_the_language_of_the_letter() -> None:
    text = "{{ basket.total }} / {{ voucher.expires|date }} / {{ voucher.expires|time }}"
    assert said(text, "en") == "€1,234.50 / December 6, 2026 / 7:30\u202fAM"
    assert said(text, "de") == "1.234,50\xa0€ / 6. Dezember 2026 / 07:30"
    assert said(text, "ru") == "1\xa0234,50\xa0€ / 6 декабря 2026\u202fг. / 07:30"


@pytest.mark.parametrize(
    ("count", "expected"), [(1, "1 товар"), (3, "3 товара"), (11, "11 товаров")]
)
def test_russian_counts_get_their_three_forms(count: int, expected: str) -> None:
    text = '{{ basket.count }} {{ basket.count|plural:"товар,товара,товаров" }}'
    assert said(text, "ru", basket={"count": count}) == expected


def test_a_block_alone_on_its_line_takes_no_line_of_the_letter() -> None:
    text = "Lines:\n{% for line in basket.lines %}\n- {{ line.title }}\n{% endfor %}\nEnd"
    assert said(text) == "Lines:\n- Enamel mug <blue>\n- Палатка\nEnd"


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("{% include 'secrets' %}", 1, "include"),
        ("a\nb {% load x %}", 2, "load"),
        ("{{ contact.first_name|safe }}", 1, "safe"),
        ("{{ contact.first_name.upper() }}", 1, "("),
        ("{{ contact.__class__ }}", 1, "underscore"),
        ("{{ contact.password }}", 1, "contact.password"),
        ("{{ contact.frist_name }}", 1, "contact.first_name"),
        ("{{ 1 + 1 }}", 1, "1"),
        ("{{ contact.first_name", 1, "}}"),
        ("{% if contact.first_name %}", 1, "endif"),
        ("x {% endfor %}", 1, "endfor"),
        ("{% if a.b %}x{% endif %}", 1, "a.b"),
        ("{% for line in contact.first_name %}x{% endfor %}", 1, "no list"),
        ("{% for basket in basket.lines %}x{% endfor %}", 1, "taken"),
        ("{{ line.title }}", 1, "line.title"),
        ("{{ loop.index }}", 1, "loop.first"),
        ("{# a note #}", 1, "<!--"),
        ('{{ contact.first_name|truncate:"99999999" }}', 1, "truncate"),
        ('{{ voucher.expires|date:"Y" }}', 1, "medium"),
        ("{% if basket.count > %}x{% endif %}", 1, "name"),
        ("{% else %}", 1, "else"),
        ("{% if shop.name %}{% for line in basket.lines %}{% endif %}{% endfor %}", 1, "endfor"),
    ],
)
def test_what_is_not_in_the_language_is_refused_by_name(text: str, line: int, named: str) -> None:
    error = refusal(in_column("<mj-text>-</mj-text>"), text=text)
    assert error.problems
    assert all(problem.where == "text" for problem in error.problems)
    assert any(problem.line == line and named in problem.message for problem in error.problems)


def test_blocks_nested_too_deeply_are_refused() -> None:
    deep = "{% if shop.name %}" * 5_000 + "x" + "{% endif %}" * 5_000
    assert refusal(in_column("<mj-text>-</mj-text>"), text=deep).problems


def test_values_are_never_read_as_a_template() -> None:
    hostile = "{{ shop.name }}{% if shop.name %}{{ contact.first_name }}{% endif %}"
    assert said("{{ contact.first_name }}", contact={"first_name": hostile}) == hostile


def test_nothing_but_dicts_is_walked_through() -> None:
    class Account:
        first_name = "secret"

        def flush(self) -> None:
            raise AssertionError("a letter called a method")

    assert said("[{{ contact.first_name }}]", contact=Account()) == "[]"


def test_a_value_that_is_no_plain_value_is_refused() -> None:
    from oscar_triggers.content.values import UnfitValue

    with pytest.raises(UnfitValue, match="object"):
        said("{{ contact.first_name }}", contact={"first_name": object()})


def test_a_flood_of_values_is_stopped() -> None:
    lines = [{"title": "x" * 1_000}] * 2_000
    with pytest.raises(rendering.LetterTooLong):
        said(
            "{% for line in basket.lines %}{{ line.title }}{% endfor %}",
            basket={"lines": lines, "total": euros("1"), "count": 1},
        )


@pytest.mark.parametrize("where", ["subject", "preheader", "body", "text"])
@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (
            "{{ basket.lines }}",
            "{% for line in basket.lines %}{{ line.title }}{% endfor %}",
        ),
        ("{{ contact }}", "{{ contact.first_name }}"),
        (
            "{% for line in basket.lines %}{{ line|upper }}{% endfor %}",
            "{{ line.title }}",
        ),
    ],
)
def test_a_list_is_no_text_and_the_check_says_what_to_write_instead(
    where: str, written: str, instead: str
) -> None:
    body = in_column(f"<mj-text>{written if where == 'body' else '-'}</mj-text>")
    fields = {} if where == "body" else {where: written}
    (problem,) = refusal(body, **fields).problems
    assert (problem.where, problem.line) == (where, 1)
    assert problem.message.endswith(instead)


def test_a_letter_may_still_ask_whether_a_list_holds_anything() -> None:
    assert said("{% if basket.lines %}full{% else %}empty{% endif %}") == "full"
