"""Which links of a letter lead through the shop, and where they lead."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_triggers.content import links, rendering, targets
from oscar_triggers.content.letters import CompiledLetter, Letter
from tests.content.letters import compiled, in_column, values

PREFIX = "https://shop.example/t/c/AAAAAAAAAAAAAAAAAAAAAA"


def followed(letter: CompiledLetter, **changes: Any) -> Letter:
    return rendering.fill(
        letter,
        values(**changes),
        language="en",
        time_zone="",
        links=partial(targets.Numbered, PREFIX),
    )


def leads(letter: CompiledLetter, **changes: Any) -> list[str]:
    return rendering.targets(letter, values(**changes), language="en", time_zone="")


def hrefs(letter: Letter) -> list[str]:
    return re.findall(r'href="([^"]*)"', letter.html)


def test_ways_out_and_back_have_addresses_of_their_own() -> None:
    letter = compiled(
        in_column(
            '<mj-text><a href="{{ links.unsubscribe }}">Leave</a> '
            '<a href="{{ links.basket }}?x=1">Back</a> <a href="mailto:a@b.example">Ask</a> '
            '<a href="tel:+49301">Call</a> <a href="#top">Top</a></mj-text>'
        )
    )
    assert leads(letter) == []
    assert [href for href in hrefs(followed(letter)) if "/t/c/" in href] == [f"{PREFIX}0/"]


def test_buttons_pictures_and_menus_lead_through_the_shop_too() -> None:
    letter = compiled(
        in_column(
            '<mj-button href="https://a.example">A</mj-button>'
            '<mj-image src="https://shop.example/a.png" alt="B" href="https://b.example" />'
            '<mj-navbar><mj-navbar-link href="https://c.example">C</mj-navbar-link></mj-navbar>'
        )
    )
    assert leads(letter) == ["https://a.example", "https://b.example", "https://c.example"]
    assert "https://shop.example/a.png" in followed(letter).html, "pictures are no links"


def test_each_line_of_a_basket_has_a_number_of_its_own_and_equal_targets_share_one() -> None:
    letter = compiled(
        in_column(
            "<mj-text>{% for line in basket.lines %}"
            '<a href="{{ line.url }}">{{ line.title }}</a> '
            '<a href="https://shop.example/all/">All</a> {% endfor %}</mj-text>'
        )
    )
    assert leads(letter) == [
        "https://shop.example/mug/",
        "https://shop.example/all/",
        "https://shop.example/tent/",
    ]
    one = followed(letter)
    shown = [href for href in hrefs(one) if "/t/c/" in href and not href.endswith("AA0/")]
    assert shown == [f"{PREFIX}{number}/" for number in (1, 2, 3, 2)]
    assert [f"{PREFIX}{number}/" in one.text for number in (1, 2, 3)] == [True] * 3


def test_an_address_with_a_choice_in_it_is_followed_whichever_is_taken() -> None:
    letter = compiled(
        in_column(
            '<mj-text><a href="{% if basket.count > 1 %}https://many.example/x'
            '{% else %}https://one.example/x{% endif %}">x</a></mj-text>'
        )
    )
    assert leads(letter) == ["https://many.example/x"]
    assert leads(letter, basket={"count": 1}) == ["https://one.example/x"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
        ("https://a.example/?a=1&copy=2", "https://a.example/?a=1&copy=2"),
        ("https://a.example/?a=1&lt=2", "https://a.example/?a=1&lt=2"),
        ("https://a.example/?a=&quot;x&quot;", 'https://a.example/?a="x"'),
        ("https://a.example/ü", "https://a.example/ü"),
    ],
)
def test_an_address_means_what_browsers_read(written: str, meant: str) -> None:
    letter = compiled(in_column(f'<mj-text><a href="{written}">x</a></mj-text>'))
    assert leads(letter) == [meant]
    assert followed(letter).text == f"x: {PREFIX}1/\n"


def test_a_text_part_that_an_author_wrote_leads_through_the_shop_as_well() -> None:
    letter = compiled(
        in_column('<mj-text><a href="https://a.example/x">x</a></mj-text>'),
        text=(
            "See https://a.example/x, {{ voucher.expires }}(https://b.example/?a=1).\n"
            "Back: {{ links.basket }} Leave: {{ links.unsubscribe }} Shop: {{ shop.url }}!"
        ),
    )
    given_values = {"voucher": {"expires": ""}}
    assert leads(letter, **given_values) == [
        "https://a.example/x",
        "https://b.example/?a=1",
        "https://shop.example",
    ]
    text = followed(letter, **given_values).text
    assert text == (
        f"See {PREFIX}1/, ({PREFIX}2/).\n"
        "Back: https://shop.example/t/b/token/ Leave: https://shop.example/t/u/id/ "
        f"Shop: {PREFIX}3/!\n"
    )


def test_an_address_that_is_shown_as_words_is_said_once() -> None:
    letter = compiled(
        in_column('<mj-text>See <a href="{{ shop.url }}"> {{ shop.url }} </a>now</mj-text>')
    )
    assert followed(letter).text == f"See {PREFIX}1/ now\n"
    assert rendering.fill(letter, values(), language="en", time_zone="").text == (
        "See https://shop.example now\n"
    )


def test_the_hidden_link_is_out_of_reach_for_people_and_only_there_where_clicks_are_seen() -> None:
    letter = compiled(in_column("<mj-text>x</mj-text>"))
    [hidden] = re.findall(r"<a [^>]*></a>", followed(letter).html)
    assert 'style="display:none"' in hidden
    assert 'aria-hidden="true"' in hidden
    assert 'tabindex="-1"' in hidden
    plain = rendering.fill(letter, values(), language="en", time_zone="")
    assert "<a " not in plain.html
    tagged = rendering.fill(
        letter,
        values(),
        language="en",
        time_zone="",
        links=partial(targets.Tagged, {"utm_source": "x"}, "https://shop.example"),
    )
    assert "<a " not in tagged.html
    assert followed(letter).text == plain.text


@pytest.mark.parametrize(
    ("address", "result"),
    [
        ("https://shop.example/", "https://shop.example/?utm_source=a+b"),
        ("https://SHOP.example/x?a=1#top", "https://SHOP.example/x?a=1&utm_source=a+b#top"),
        ("https://shop.example/?UTM_Source=mine", "https://shop.example/?UTM_Source=mine"),
        ("https://shop.example.evil.example/", "https://shop.example.evil.example/"),
        ("https://shop.example:8443/", "https://shop.example:8443/"),
        ("https://[bad/", "https://[bad/"),
        ("mailto:a@shop.example", "mailto:a@shop.example"),
    ],
)
def test_only_the_shops_own_addresses_get_parameters(address: str, result: str) -> None:
    told = targets.with_parameters(
        address, {"utm_source": "a b", "utm_empty": ""}, "https://shop.example"
    )
    assert told == result


@given(st.text(max_size=60))
def test_nothing_leads_where_a_header_could_be_broken(text: str) -> None:
    for address in (text, f"https://{text}", f"http://a.example/{text}"):
        if targets.is_safe(address):
            assert address.lower().startswith(("http://", "https://"))
            assert not re.search(r"[\x00-\x20\x7f\"<>\\]", address)


@given(st.text(max_size=40))
def test_only_an_id_and_a_number_is_a_token(text: str) -> None:
    found = links.read_click_token(text)
    if found is not None:
        assert text == f"{found[0]}{text[22:]}"
        assert int(text[22:]) == found[1]
    assert links.read_click_token("A" * 22 + "7") == ("A" * 22, 7)
    assert links.read_click_token("A" * 22 + "7\n") is None
