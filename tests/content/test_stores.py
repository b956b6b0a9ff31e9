"""Which shop is near: by city and country, then by postcode, then by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from oscar_triggers.content import rendering, stores, tags
from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.content.stores import Place, Store, StoreSource

from .letters import body_of, in_column, values

HARBOUR = Store(name="Harbour", city="Köln", country="DE", postcode="50667")
ANGEL = Store(name="Angel", city="Köln", country="DE", postcode="51103")
SAMARA = Store(name="Samara", city="Самара", country="RU")
PARIS = Store(name="Paris", city="Paris", country="FR")
TEXAS = Store(name="Texas", city="Paris", country="US")
HOME = Store(name="Home", city="Bremen", country="DE", is_default=True)
KNOWN = [HARBOUR, ANGEL, SAMARA, PARIS, TEXAS]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(city="KÖLN", postcode="50 670"), HARBOUR),
        (Place(city="koln", postcode="51103"), ANGEL),
        (Place(city="Köln"), ANGEL),
        (Place(city="Köln", country="de"), ANGEL),
        (Place(city="Köln", country="AT"), None),
        (Place(city=" самара "), SAMARA),
        (Place(city="Paris", country="FR"), PARIS),
        (Place(city="Paris", country="US"), TEXAS),
        # Which of the two nobody knows.
        (Place(city="Paris"), None),
        (Place(city="Bonn"), None),
        (Place(city=" - "), None),
        (None, None),
    ],
)
def test_the_shop_in_the_city_is_named(place: Place | None, expected: Store | None) -> None:
    assert stores.nearest(place, KNOWN) == expected


def test_where_none_is_near_the_shop_for_everybody_is_named() -> None:
    abroad = Store(name="Abroad", city="Wien", country="AT", is_default=True)
    known = [*KNOWN, abroad, HOME]
    assert stores.nearest(Place(city="Bonn", country="DE"), known) == HOME
    assert stores.nearest(Place(city="Paris"), known) == abroad
    assert stores.nearest(None, known) == abroad
    assert stores.nearest(Place(city="Köln"), known) == ANGEL


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Saint-Étienne", "saint etienne"),
        ("Нижний Новгород", "НИЖНИЙ  НОВГОРОД"),
        ("Орёл", "орел"),
        ("GROẞENHAIN", "grossenhain"),
    ],
)
def test_spellings_of_a_city_are_one(one: str, other: str) -> None:
    assert stores.spelled(one) == stores.spelled(other)


class _Branches(StoreSource):
    name = "branches"

    def __init__(self, answer: Sequence[Store] | Exception, rank: int = 10) -> None:
        self.answer, self.rank = answer, rank

    def stores(self, site_id: int | None) -> Sequence[Store]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_first_source_that_names_any_shop_counts(caplog: pytest.LogCaptureFixture) -> None:
    failing = _Branches(RuntimeError("no table"), rank=1)
    with (
        caplog.at_level(logging.WARNING),
        stores.registry.temporarily("failing", failing),
        stores.registry.temporarily("empty", _Branches([], rank=2)),
        stores.registry.temporarily("full", _Branches([HOME], rank=3)),
        stores.registry.temporarily("late", _Branches(KNOWN, rank=4)),
    ):
        assert stores.stores(None) == [HOME]
    assert "failing" in caplog.text


def test_what_a_shop_is_called_breaks_no_letter() -> None:
    body = in_column(
        '<mj-text>{{ store.name|default:"our shop" }} {% if store.phone %}Call '
        '{{ store.phone }}{% endif %}</mj-text><mj-button href="{{ store.url }}">Go</mj-button>'
    )
    letter = compile_letter(
        LetterSource(subject="{{ store.name }}", body=body), known=tags.known_paths()
    )
    hostile = {
        "name": "Tea & <script>alert(1)</script>{{ contact.first_name }}\r\nBcc: all@example.com",
        "phone": '"><img src=x>',
        "url": "https://shop.example/?a=1&b=\"'",
    }
    filled = rendering.fill(letter, values(store=hostile), language="en", time_zone="UTC")
    assert "<script>" not in filled.html
    assert "<img src=x>" not in filled.html
    assert "{{ contact.first_name }}" in filled.html
    assert "\n" not in filled.subject
    empty = rendering.fill(
        letter, values(store={"name": "", "phone": "", "url": ""}), language="en", time_zone="UTC"
    )
    assert "our shop" in body_of(empty.html)
    assert "Call" not in body_of(empty.html)


@pytest.mark.parametrize(
    ("language", "city"), [("en", "Whitby"), ("de-at", "Bremen"), ("ru", "Казань")]
)
def test_previews_show_a_shop_in_the_readers_language(language: str, city: str) -> None:
    shown = tags.samples("basket", language)["store"]
    assert shown["city"] == city
    assert set(shown) == {"name", "address", "city", "phone", "hours", "url"}
