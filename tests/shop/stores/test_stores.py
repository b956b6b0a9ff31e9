"""Letters name the shop in the city where their reader lives, as far as the shop knows that."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_triggers.content import context
from oscar_triggers.content.context import Wanted
from oscar_triggers.content.stores import Store
from oscar_triggers.models import Contact
from oscar_triggers.snapshots import Subject
from sandbox.shop_extras.triggers import Counters
from tests.shop.conftest import make_order
from tests.shop.products.conftest import subject_about

pytestmark = pytest.mark.django_db

PATHS = frozenset({"store.name"})


def country(code: str) -> Any:
    """Return a country."""
    found, _ = get_model("address", "Country").objects.get_or_create(
        iso_3166_1_a2=code, defaults={"name": code, "printable_name": code}
    )
    return found


def partner_in(city: str, name: str, code: str = "GB", postcode: str = "", **fields: Any) -> Any:
    """Make a partner with an address."""
    partner = factories.PartnerFactory(name=name)
    return get_model("partner", "PartnerAddress").objects.create(
        partner=partner,
        line1="12 High Street",
        line4=city,
        postcode=postcode,
        country=country(code),
        **fields,
    )


def address_in(city: str, code: str = "GB", postcode: str = "") -> Any:
    """Make the address to which a parcel goes."""
    return get_model("order", "ShippingAddress").objects.create(
        last_name="Poole", line1="1 Lane", line4=city, postcode=postcode, country=country(code)
    )


def reader(user: Any = None, **fields: Any) -> Subject:
    """Return somebody with contact fields."""
    number = Contact.objects.count()
    contact = Contact.objects.create(
        identity_key=f"email:{number}", user=user, fields=fields, created_at=timezone.now()
    )
    user_id = user.pk if user is not None else None
    return subject_about("date", "birthday", contact_id=contact.pk, user_id=user_id)


def told(subject: Subject) -> dict[str, str]:
    """Return what a letter says of the shop."""
    [given] = context.provide_wanted([Wanted(subject=subject, paths=PATHS)], timezone.now())
    shop: dict[str, str] = given.values["store"]
    return shop


@pytest.fixture
def user(db: None) -> Any:
    """Return somebody with an account."""
    return factories.UserFactory()


def test_the_partner_in_the_city_is_the_shop(db: None) -> None:
    partner_in("Whitby", "Tea House", postcode="YO22 4DE")
    partner_in("York", "Tea Room")
    assert told(reader(city="whitby")) == {
        "name": "Tea House",
        "address": "12 High Street, Whitby, YO22 4DE",
        "city": "Whitby",
        "phone": "",
        "hours": "",
        "url": "",
    }
    assert set(told(reader(city="Leeds")).values()) == {""}
    assert set(told(reader()).values()) == {""}


def test_what_is_noted_goes_before_the_last_parcel_and_that_before_the_address_book(
    user: Any,
) -> None:
    for city in ("Whitby", "York", "Leeds"):
        partner_in(city, city)
    get_model("address", "UserAddress").objects.create(
        user=user,
        line1="1 Lane",
        line4="Leeds",
        country=country("GB"),
        is_default_for_shipping=True,
    )
    assert told(reader(user))["name"] == "Leeds"
    make_order("1", user=user, shipping_address=address_in("Whitby"))
    make_order("2", user=user, shipping_address=address_in("York"))
    # It was fetched: it says nothing of where somebody lives.
    make_order("3", user=user)
    assert told(reader(user))["name"] == "York"
    assert told(reader(user, city="Whitby"))["name"] == "Whitby"


def test_a_city_of_the_same_name_in_another_country_is_another_city(user: Any) -> None:
    partner_in("Paris", "Rue", "FR")
    partner_in("Paris", "Main Street", "US")
    assert told(reader(city="Paris", country="US"))["name"] == "Main Street"
    assert told(reader(city="Paris"))["name"] == ""
    make_order("1", user=user, shipping_address=address_in("PARIS", "FR"))
    assert told(reader(user))["name"] == "Rue"
    # The parcel tells which Paris is meant.
    assert told(reader(user, city="Paris"))["name"] == "Rue"
    assert told(reader(user, city="Paris", country="US"))["name"] == "Main Street"


def test_the_shops_own_source_replaces_the_partners(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner_in("Whitby", "Warehouse")
    counter = Store(name="Counter", city="York", phone="123", url="/counter/", hours="9–5")
    monkeypatch.setattr(Counters, "opened", [counter])
    assert told(reader(city="Whitby"))["name"] == ""
    shop = told(reader(city="York"))
    assert (shop["name"], shop["phone"], shop["hours"]) == ("Counter", "123", "9–5")
    assert shop["url"].startswith("http")
    assert shop["url"].endswith("/counter/")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "mailto:a@b.example"])
def test_only_pages_are_linked(db: None, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(Counters, "opened", [Store(name="Counter", city="York", url=url)])
    assert told(reader(city="York"))["url"] == ""


def test_many_readers_cost_as_many_questions_as_one(db: None) -> None:
    partner_in("Whitby", "Tea House")

    def customer(number: int) -> Wanted:
        user = factories.UserFactory()
        make_order(f"C-{number}", user=user, shipping_address=address_in("Whitby"))
        return Wanted(subject=reader(user), paths=PATHS)

    everybody = [customer(number) for number in range(60)]
    costs = []
    for some in (everybody[:1], everybody):
        with CaptureQueriesContext(connection) as captured:
            given = context.provide_wanted(some, timezone.now())
        assert {one.values["store"]["name"] for one in given} == {"Tea House"}
        costs.append(len(captured))
    assert costs[0] == costs[1] <= 10


def test_a_letter_that_names_no_shop_asks_nothing(db: None) -> None:
    wanted = Wanted(subject=reader(city="York"), paths=frozenset({"contact.first_name"}))
    with CaptureQueriesContext(connection) as captured:
        [given] = context.provide_wanted([wanted], timezone.now())
    assert "store" not in given.values
    assert not [one for one in captured if "partner" in one["sql"]]


def test_in_a_shop_without_counters_nobodys_address_is_looked_for(db: None) -> None:
    wanted = Wanted(subject=reader(factories.UserFactory()), paths=PATHS)
    with CaptureQueriesContext(connection) as captured:
        [given] = context.provide_wanted([wanted], timezone.now())
    assert given.values["store"]["name"] == ""
    assert not [one for one in captured if "useraddress" in one["sql"].lower()]
