"""Letters recommend what can be bought now, never what the person has, and only when they say so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_triggers.content import context, recommendations, tags
from oscar_triggers.content.context import Wanted
from oscar_triggers.content.recommendations import Occasion, Recommender
from oscar_triggers.content.values import Money
from oscar_triggers.models import Contact, PriceSeen, PriceSource
from oscar_triggers.shop.companions import pairs
from tests.shop.products.conftest import order_of, subject_about
from tests.shop.products.test_said import make_variant
from tests.shopping import make_product

from .conftest import in_category

pytestmark = pytest.mark.django_db

LISTS = ("companions", "similar", "alternatives", "viewed", "picked")


def recommended(subject: Any, fills: str) -> list[str]:
    """Return the titles that a letter which uses one list recommends."""
    paths = frozenset({f"recommended.{fills}[].title"})
    [given] = context.provide_wanted([Wanted(subject=subject, paths=paths)], timezone.now())
    told = given.values["recommended"]
    assert list(told) == [fills]
    return [one["title"] for one in told[fills]]


@pytest.fixture
def kettle(product: Any) -> Any:
    """Return a kettle that two people bought with the mug."""
    kettle = make_product("Camping kettle", price=Decimal(24))
    order_of("K-1", product, kettle)
    order_of("K-2", product, kettle)
    pairs.count(timezone.now())
    return kettle


def test_a_letter_about_a_basket_recommends_what_others_bought_with_it(
    shopper: Any, product: Any, kettle: Any
) -> None:
    shopper.add(product)
    subject = subject_about("basket", shopper.basket.pk)
    paths = frozenset({"recommended.companions[].price", "basket.total"})
    [given] = context.provide_wanted([Wanted(subject=subject, paths=paths)], timezone.now())
    [told] = given.values["recommended"]["companions"]
    assert told["title"] == "Camping kettle"
    assert told["url"].endswith(kettle.get_absolute_url())
    assert told["image_url"]
    assert isinstance(told["price"], Money)
    assert told["price"].amount == Decimal(24)
    assert given.values["basket"]["count"] == 1


@pytest.mark.parametrize("about", ["order", "product"])
def test_so_do_letters_about_orders_and_products(product: Any, kettle: Any, about: str) -> None:
    order = order_of("K-3", product)
    subject = subject_about(about, order.number if about == "order" else product.pk)
    assert recommended(subject, "companions") == ["Camping kettle"]


def test_what_editors_recommend_goes_first(product: Any, kettle: Any, other_product: Any) -> None:
    get_model("catalogue", "ProductRecommendation").objects.create(
        primary=product, recommendation=other_product, ranking=1
    )
    subject = subject_about("product", product.pk)
    assert recommended(subject, "companions") == ["Ridge tent", "Camping kettle"]


@pytest.mark.parametrize("change", ["sold", "allocated", "hidden", "no_price", "deleted"])
def test_what_cannot_be_bought_is_not_recommended(product: Any, kettle: Any, change: str) -> None:
    subject = subject_about("product", product.pk)
    assert recommended(subject, "companions") == ["Camping kettle"]
    if change == "sold":
        kettle.stockrecords.update(num_in_stock=0)
    elif change == "allocated":
        kettle.stockrecords.update(num_allocated=10)
    elif change == "hidden":
        type(kettle).objects.filter(pk=kettle.pk).update(is_public=False)
    elif change == "no_price":
        kettle.stockrecords.update(price=None)
    else:
        kettle.delete()
    assert recommended(subject, "companions") == []


def test_what_the_person_bought_or_has_in_the_basket_is_not_recommended(
    shopper: Any, member: Any, product: Any, kettle: Any
) -> None:
    shopper.add(product)
    shopper.add(kettle)
    subject = subject_about("basket", shopper.basket.pk, user_id=member.pk)
    assert recommended(subject, "companions") == []
    subject = subject_about("product", product.pk, user_id=member.pk)
    assert recommended(subject, "companions") == ["Camping kettle"]
    order_of("K-4", kettle, user=member, date_placed=timezone.now() - timedelta(days=100))
    assert recommended(subject, "companions") == ["Camping kettle"], "that is long ago"
    order_of("K-5", kettle, user=member)
    assert recommended(subject, "companions") == []


def test_a_product_with_variants_costs_what_its_cheapest_one_does(product: Any) -> None:
    parent = factories.create_product(title="Pot", product_class="Gear", structure="parent")
    red = make_variant(parent, "red", price=Decimal(9))
    make_variant(parent, "blue", price=Decimal(7))
    order_of("P-1", product, red)
    order_of("P-2", product, red)
    pairs.count(timezone.now())
    subject = subject_about("product", product.pk)
    [given] = context.provide_many([subject], timezone.now())
    [told] = given.values["recommended"]["companions"]
    assert (told["title"], told["price"].amount) == ("Pot", Decimal(7))


def test_similar_is_what_shares_categories_and_looks(category: Any) -> None:
    seed = in_category(category, "Mug", style="rustic", brand="Kettle")
    in_category(category, "Bowl", style="modern")
    in_category(category, "Jug", style="Rustic", brand="Kettle")
    in_category(category, "Plate", style="rustic")
    in_category(factories.CategoryFactory(name="Tents"), "Tent", style="rustic")
    subject = subject_about("product", seed.pk)
    assert recommended(subject, "similar") == ["Jug", "Plate", "Bowl"]


def test_alternatives_are_near_in_price_and_can_be_had(category: Any) -> None:
    seed = in_category(category, "Mug", "10.00")
    in_category(category, "Cheap mug", "4.00")
    in_category(category, "Golden mug", "400.00")
    in_category(category, "Tin mug", "8.00")
    in_category(category, "Glass mug", "10.50")
    sold = in_category(category, "Sold mug", "10.00")
    sold.stockrecords.update(num_in_stock=0)
    seed.stockrecords.update(num_in_stock=0)
    assert recommended(subject_about("price_drop", "1:x"), "alternatives") == []
    subject = subject_about("price_drop", "1:x", payload={"products": [{"product_id": seed.pk}]})
    assert recommended(subject, "alternatives") == ["Glass mug", "Tin mug"]


def test_what_was_looked_at_comes_back_newest_first(
    member: Any, product: Any, other_product: Any
) -> None:
    views = get_model("analytics", "UserProductView").objects
    for number, one in enumerate([product, other_product, product]):
        view = views.create(user=member, product=one)
        views.filter(pk=view.pk).update(date_created=timezone.now() - timedelta(days=9 - number))
    old = views.create(user=member, product=make_product("Lamp", price=Decimal(5)))
    views.filter(pk=old.pk).update(date_created=timezone.now() - timedelta(days=100))
    subject = subject_about("date", "birthday", user_id=member.pk)
    assert recommended(subject, "viewed") == ["Enamel mug", "Ridge tent"]
    order_of("V-1", product, user=member)
    assert recommended(subject, "viewed") == ["Ridge tent"]


def test_a_guests_looks_count_as_we_saw_them(product: Any) -> None:
    contact = Contact.objects.create(identity_key="guest:1", created_at=timezone.now())
    PriceSeen.objects.create(
        contact=contact,
        product_id=product.pk,
        source=PriceSource.VIEW,
        price=Decimal("12.50"),
        currency="EUR",
        seen_at=timezone.now(),
    )
    subject = subject_about("date", "birthday", contact_id=contact.pk)
    assert recommended(subject, "viewed") == ["Enamel mug"]


def test_picked_is_what_is_like_what_somebody_looked_at(member: Any, category: Any) -> None:
    mug = in_category(category, "Mug", style="rustic")
    jug = in_category(category, "Jug", style="rustic")
    in_category(category, "Bowl", style="modern")
    in_category(category, "Plate", style="rustic")
    for one in (mug, jug):
        get_model("analytics", "UserProductView").objects.create(user=member, product=one)
    subject = subject_about("date", "birthday", user_id=member.pk)
    assert recommended(subject, "picked") == ["Plate", "Bowl"]
    assert recommended(subject_about("date", "birthday"), "picked") == []


def test_a_letter_that_recommends_nothing_costs_nothing(product: Any, shopper: Any) -> None:
    shopper.add(product)
    subjects = [subject_about("basket", shopper.basket.pk), subject_about("product", product.pk)]

    def queries(*paths: str) -> int:
        wanted = [Wanted(subject=one, paths=frozenset(paths)) for one in subjects]
        with CaptureQueriesContext(connection) as caught:
            given = context.provide_wanted(wanted, timezone.now())
        assert all(("recommended" in one.values) == bool(paths) for one in given)
        return len(caught)

    bare = queries()
    with recommendations.registry.temporarily("similar", recommendations.registry.get("viewed")):
        assert queries() == bare
    assert queries("recommended.similar[].title") > bare


def test_any_number_of_letters_costs_the_same_queries(category: Any) -> None:
    def subjects(number: int) -> list[Any]:
        found = []
        for n in range(number):
            user = factories.UserFactory()
            mug = in_category(category, f"Mug {number}-{n}", style="rustic")
            jug = in_category(category, f"Jug {number}-{n}", style="rustic")
            order_of(f"Q-{number}-{n}", jug, user=user)
            order_of(f"R-{number}-{n}", jug, mug)
            order_of(f"S-{number}-{n}", jug, mug)
            get_model("analytics", "UserProductView").objects.create(user=user, product=mug)
            found.append(subject_about("product", mug.pk, user_id=user.pk))
        pairs.count(timezone.now())
        return found

    def queries(asked: list[Any]) -> int:
        wanted = [Wanted(subject=one) for one in asked]
        with CaptureQueriesContext(connection) as caught:
            context.provide_wanted(wanted, timezone.now())
        return len(caught)

    few = queries(subjects(2))
    assert queries(subjects(6)) == few
    assert few < 60, few


def test_no_product_stands_in_two_lists(category: Any) -> None:
    seed = in_category(category, "Mug")
    for number in range(9):
        in_category(category, f"Jug {number}")
    [given] = context.provide_many([subject_about("product", seed.pk)], timezone.now())
    told = [one["title"] for fills in LISTS for one in given.values["recommended"][fills]]
    assert len(told) == len(set(told)) == 9
    [again] = context.provide_many([subject_about("product", seed.pk)], timezone.now())
    assert again.values == given.values


class _OfTheShop(Recommender):
    """A shop's own recommender, which asks a server."""

    name = "of_the_shop"
    fills = "companions"
    longest = timedelta(seconds=0.2)

    def __init__(self, ids: Sequence[int] = (), *, takes: float = 0, fails: bool = False) -> None:
        self.ids, self.takes, self.fails, self.asked = ids, takes, fails, 0

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> list[Sequence[int]]:
        """Answer as the server does."""
        self.asked += 1
        time.sleep(self.takes)
        if self.fails:
            raise ConnectionError
        return [self.ids for _one in occasions]


def test_a_shops_own_recommender_goes_first_and_the_others_fill_up(
    product: Any, kettle: Any, other_product: Any
) -> None:
    subject = subject_about("product", product.pk)
    own = _OfTheShop([other_product.pk, 987_654])
    with recommendations.registry.temporarily("of_the_shop", own):
        assert recommended(subject, "companions") == ["Ridge tent", "Camping kettle"]


@pytest.mark.parametrize("trouble", [{"takes": 5.0}, {"fails": True}])
def test_a_server_that_is_slow_or_down_is_passed_over_for_a_while(
    product: Any, kettle: Any, trouble: dict[str, Any]
) -> None:
    subject, own = subject_about("product", product.pk), _OfTheShop([987], **trouble)
    with recommendations.registry.temporarily("of_the_shop", own):
        began = time.monotonic()
        assert recommended(subject, "companions") == ["Camping kettle"]
        assert time.monotonic() - began < 3, "nobody waits for it"
        assert recommended(subject, "companions") == ["Camping kettle"]
    assert own.asked == 1


def test_a_list_of_its_own_has_merge_tags_with_samples() -> None:
    @recommendations.register
    class NewArrivals(Recommender):
        name = fills = "new_arrivals"

        def recommend_many(
            self, occasions: Sequence[Occasion], now: datetime, most: int
        ) -> list[list[int]]:
            return [[] for _one in occasions]

    try:
        assert "recommended.new_arrivals[].title" in tags.known_paths()
        [first, *_more] = tags.samples("basket", "de")["recommended"]["new_arrivals"]
        assert first["title"] == "Campingkessel"
    finally:
        del recommendations.registry._entries["new_arrivals"]
        for path in [path for path in tags.registry if "new_arrivals" in path]:
            del tags.registry._entries[path]
    for fills in LISTS:
        for language, title in (("en", "Camping kettle"), ("ru", "Походный чайник")):
            told = tags.samples("basket", language)["recommended"][fills]
            assert told[0]["title"] == title
            assert set(told[0]) == {"title", "url", "image_url", "price"}
