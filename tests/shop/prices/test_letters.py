"""What letters about fallen prices say, and when they do not go."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_triggers import conditions
from oscar_triggers.models import Decision, Enrollment, Message, PriceSeen, ProductRequest
from oscar_triggers.shop.prices import events, told
from oscar_triggers.shop.prices.context import PriceDropContext
from oscar_triggers.shop.prices.seen import Sight
from oscar_triggers.snapshots import About, Subject
from tests.shop.conftest import make_order
from tests.shopping import make_product

from .conftest import Shop, agree, drops, fell, publish, saw
from .test_falling import _line, see

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mug(shop: Shop, member: Any) -> Any:
    """Return a mug for 20.00 EUR; the member agreed to letters."""
    product = make_product("Mug", price=Decimal("20.00"))
    agree(member.email, shop.clock)
    shop.tick()
    return product


def words(letter: str) -> str:
    """Return the products of a letter, without its markup."""
    return " ".join(letter[letter.index("(") : letter.rindex(")") + 1].split())


def test_a_letter_says_both_prices(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock)
    see(shop, member, mug, "20.00")
    mug.stockrecords.update(price=Decimal("15.00"))
    [letter] = shop.tick(send=True)
    assert words(letter) == "(Mug: €20.00 now €15.00, 25 percent, lowest €20.00)"
    shop.tick()
    assert saw(mug) == [("message", "15.00", "EUR"), ("view", "20.00", "EUR")]


def test_20_15_18_15_is_told_once(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock)
    see(shop, member, mug, "20.00")
    told = []
    for price in ("15.00", "18.00", "15.00"):
        mug.stockrecords.update(price=Decimal(price))
        told += shop.tick(timedelta(hours=1), send=True)
        told += shop.tick(timedelta(hours=1), send=True)
    assert len(told) == 1
    mug.stockrecords.update(price=Decimal("14.00"))
    [letter] = shop.tick(timedelta(hours=1), send=True)
    # The letter before said 15.00: that is what fell.
    assert "€15.00 now €14.00" in words(letter)


def test_each_person_is_told_what_they_do_not_know(shop: Shop, member: Any, mug: Any) -> None:
    from oscar.test.factories import UserFactory

    publish(shop.clock)
    ben = UserFactory(username="ben", email="ben@example.com")
    agree(ben.email, shop.clock)
    see(shop, member, mug, "20.00")
    see(shop, ben, mug, "14.00")
    for price in ("15.00", "18.00", "15.00"):
        mug.stockrecords.update(price=Decimal(price))
        shop.tick(timedelta(hours=1), send=True)
    assert [one.to for one in mail.outbox] == [["anna@example.com"]]
    mug.stockrecords.update(price=Decimal("13.00"))
    shop.tick(timedelta(hours=1), send=True)
    assert sorted(one.to[0] for one in mail.outbox) == [
        "anna@example.com",
        "anna@example.com",
        "ben@example.com",
    ]


def test_a_letter_that_never_went_told_nothing(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock, wait="2h")
    see(shop, member, mug, "20.00")
    shop.price(mug, "15.00")
    assert Enrollment.objects.filter(state="active").count() == 1
    mug.stockrecords.update(price=Decimal("20.00"))
    assert shop.tick(timedelta(hours=3), send=True) == []
    message = Message.objects.get()
    assert (message.state, message.reason) == ("skipped", "price_back_up")
    decision = Decision.objects.get(reason="price_back_up")
    assert decision.compared["products"][str(mug.pk)] == {
        "saw": "20.00",
        "recorded": "15.00",
        "now": None,
        "currency": "EUR",
    }
    # They still know 20.00 only, and the next fall is told from there.
    mug.stockrecords.update(price=Decimal("15.00"))
    shop.tick()
    [letter] = shop.tick(timedelta(hours=3), send=True)
    assert "€20.00 now €15.00" in words(letter)


def test_a_price_that_is_raised_at_the_last_moment_stops_the_letter(
    shop: Shop, member: Any, mug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(shop.clock)
    see(shop, member, mug, "20.00")
    provide = PriceDropContext.provide_many
    raised: list[bool] = []

    def then_raise(self: Any, subjects: Any, now: Any) -> Any:
        provided = provide(self, subjects, now)
        if not raised:
            # Between the writing of the letter and its hand-over.
            raised.append(True)
            mug.stockrecords.update(price=Decimal("20.00"))
        return provided

    monkeypatch.setattr(PriceDropContext, "provide_many", then_raise)
    mug.stockrecords.update(price=Decimal("15.00"))
    assert shop.tick(send=True) == []
    assert raised
    assert not Message.objects.filter(state="sent").exists()
    [decision] = Decision.objects.filter(reason="price_changed")
    assert "15.00" in str(decision.compared)
    assert "20.00" in str(decision.compared)


def test_what_rose_again_drops_out_of_the_letter(
    shop: Shop, member: Any, mug: Any, product: Any
) -> None:
    shop.tick()
    publish(shop.clock, wait="2h")
    see(shop, member, mug, "20.00")
    see(shop, member, product, "12.50")
    get_model("partner", "StockRecord").objects.update(price=Decimal("10.00"))
    shop.tick()
    mug.stockrecords.update(price=Decimal("25.00"))
    [letter] = shop.tick(timedelta(hours=3), send=True)
    assert words(letter).startswith("(Enamel mug: €12.50 now €10.00")
    assert "(Mug" not in letter


def test_a_price_that_fell_further_is_told_as_it_is_now(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock, wait="2h")
    see(shop, member, mug, "20.00")
    shop.price(mug, "15.00")
    mug.stockrecords.update(price=Decimal("12.00"))
    shop.tick()
    [letter] = shop.tick(timedelta(hours=3), send=True)
    assert "€20.00 now €12.00, 40 percent" in words(letter)
    assert shop.tick(timedelta(hours=3), send=True) == []


def test_several_falls_are_one_letter_and_no_more_than_it_may_name(
    shop: Shop, member: Any, mug: Any, product: Any, other_product: Any
) -> None:
    shop.tick()
    publish(shop.clock, most_products=2)
    see(shop, member, mug, "20.00")
    see(shop, member, product, "12.50", source="wish")
    see(shop, member, other_product, "189.00", source="basket")
    get_model("partner", "StockRecord").objects.update(price=Decimal("10.00"))
    [letter] = shop.tick(send=True)
    said = words(letter)
    assert said.index("Ridge tent") < said.index("Enamel mug")
    assert "(Mug" not in letter


def test_a_letter_names_only_what_its_flow_is_about(
    shop: Shop, member: Any, mug: Any, product: Any
) -> None:
    shop.tick()
    publish(shop.clock, interests=["wish"])
    see(shop, member, mug, "20.00")
    see(shop, member, product, "12.50", source="wish")
    get_model("partner", "StockRecord").objects.update(price=Decimal("10.00"))
    [letter] = shop.tick(send=True)
    assert "(Mug" not in letter


def test_who_buys_it_before_the_letter_goes_gets_none(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock, wait="2h")
    see(shop, member, mug, "20.00")
    shop.price(mug, "15.00")
    _line(make_order("A-1", user=member, date_placed=shop.clock.now), mug)
    assert shop.tick(timedelta(hours=3), send=True) == []
    assert not Message.objects.filter(state="sent").exists()


def test_who_saw_a_lower_price_meanwhile_hears_nothing(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock, wait="2h")
    see(shop, member, mug, "20.00")
    shop.price(mug, "15.00")
    shop.tick()
    see(shop, member, mug, "14.00")
    assert shop.tick(timedelta(hours=3), send=True) == []
    assert Message.objects.get().state == "skipped"


def test_a_request_is_answered_by_the_letter_that_went(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock, least_percent="50")
    contact = see(shop, member, mug, "20.00", source="request")
    request = ProductRequest.objects.create(
        contact=contact,
        kind="cheaper",
        state="waiting",
        product_id=mug.pk,
        target_price=Decimal("16.00"),
        currency="EUR",
        created_at=shop.clock.now,
    )
    mug.stockrecords.update(price=Decimal("15.00"))
    assert len(shop.tick(send=True)) == 1
    shop.tick()
    request.refresh_from_db()
    assert request.state == "told"
    assert request.told_at is not None
    assert request.ended_at is not None, "nobody looks at it again"


def test_a_price_that_is_no_news_answers_no_request(shop: Shop, member: Any, mug: Any) -> None:
    contact = see(shop, member, mug, "20.00", source="request")
    request = ProductRequest.objects.create(
        contact=contact, kind="cheaper", state="waiting", product_id=mug.pk, currency="EUR",
        created_at=shop.clock.now,
    )  # fmt: skip
    for currency, is_news, state in (
        ("EUR", False, "waiting"),
        ("USD", True, "waiting"),
        ("EUR", True, "told"),
    ):
        letter = Sight(
            contact_id=contact.pk, product_id=mug.pk, source="message", price=Decimal(12),
            currency=currency, seen_at=shop.clock.now, is_news=is_news,
        )  # fmt: skip
        told.answer_requests([letter])
        request.refresh_from_db()
        assert request.state == state, letter


def test_tax_and_currency_are_those_of_the_reader(
    personal_prices: None, shop: Shop, member: Any, mug: Any
) -> None:
    publish(shop.clock)
    see(shop, member, mug, "24.00")
    mug.stockrecords.update(price=Decimal("15.00"))
    [letter] = shop.tick(send=True)
    assert words(letter) == "(Mug: €24.00 now €18.00, 25 percent, lowest €24.00)"


def test_a_site_offer_is_a_lower_price_while_it_lasts(shop: Shop, member: Any, mug: Any) -> None:
    from oscar.test import factories

    publish(shop.clock, wait="2h")
    see(shop, member, mug, "20.00")
    goods = factories.RangeFactory(products=[mug])
    offer = factories.ConditionalOfferFactory(
        offer_type="Site",
        condition=factories.ConditionFactory(range=goods, type="Count", value=1),
        benefit=factories.BenefitFactory(range=goods, type="Percentage", value=25),
        start_datetime=None,
        end_datetime=None,
    )
    shop.tick()
    assert [fell(one) for one in drops()] == [[(mug.pk, "20.00", "15.00", "view")]]
    [letter] = shop.tick(timedelta(hours=3), send=True)
    assert "€20.00 now €15.00" in words(letter)
    get_model("offer", "ConditionalOffer").objects.filter(pk=offer.pk).update(status="Suspended")
    shop.tick(timedelta(hours=1))
    get_model("offer", "ConditionalOffer").objects.filter(pk=offer.pk).update(status="Open")
    shop.tick(timedelta(hours=1))
    assert shop.tick(timedelta(hours=3), send=True) == []


def subject(contact: Any, products: list[dict[str, Any]], moment: Any) -> Subject:
    """Return somebody on the way through a flow about fallen prices, without a flow."""
    return Subject(
        enrollment_id=0,
        flow_id=0,
        flow_key="cheaper",
        contact_id=contact.pk,
        user_id=contact.user_id,
        about=About(type="price_drop", id=events.about_price_drop(contact.pk, moment).id),
        entered_at=moment,
        clock_at=moment,
        payload={"products": products},
    )


def item(product: Any, old: str, new: str, **more: Any) -> dict[str, Any]:
    """Return a product of an event."""
    return {
        "product_id": product.pk,
        "old": old,
        "new": new,
        "currency": "EUR",
        "source": "view",
        **more,
    }


def test_the_same_queries_for_one_letter_and_for_many(shop: Shop, member: Any, mug: Any) -> None:
    from oscar.test.factories import UserFactory

    people = [see(shop, UserFactory(), mug, "30.00") for _ in range(20)]
    told = [subject(one, [item(mug, "30.00", "20.00")], shop.clock.now) for one in people]
    with CaptureQueriesContext(connection) as one:
        PriceDropContext().provide_many(told[:1], shop.clock.now)
    with CaptureQueriesContext(connection) as many:
        provided = PriceDropContext().provide_many(told, shop.clock.now)
    assert len(many) == len(one)
    assert all(each.values["product"]["percent"] == 33 for each in provided)


def test_a_garbled_event_says_nothing_and_breaks_nothing(shop: Shop, member: Any, mug: Any) -> None:
    contact = see(shop, member, mug, "30.00")
    garbled = [{}, {"product_id": "x"}, item(mug, "a lot", "20"), item(mug, "30", "20")]
    [one, none] = PriceDropContext().provide_many(
        [subject(contact, garbled, shop.clock.now), subject(contact, [], shop.clock.now)],
        shop.clock.now,
    )
    assert len(one.values["products"]) == 1
    assert none.unavailable


def test_really_cheaper_is_below_the_last_30_days(shop: Shop, member: Any, mug: Any) -> None:
    contact = see(shop, member, mug, "30.00")
    ask = conditions.from_options({"kind": "cheaper_than_lately"})

    def holds(*products: dict[str, Any]) -> bool:
        [verdict] = ask.holds_many(
            [subject(contact, list(products), shop.clock.now)], shop.clock.now
        )
        return verdict.holds

    assert holds(item(mug, "30", "20", lowest_30d="25"))
    assert not holds(item(mug, "30", "20", lowest_30d="20"))
    assert not holds(item(mug, "30", "20"))
    assert holds(item(mug, "30", "20"), item(mug, "30", "20", lowest_30d="20.01"))
    assert not holds()


def test_cheaper_than_seen_is_what_this_person_saw(shop: Shop, member: Any, mug: Any) -> None:
    contact = see(shop, member, mug, "25.00")
    someone = Subject(
        enrollment_id=0,
        flow_id=0,
        flow_key="a",
        contact_id=contact.pk,
        user_id=member.pk,
        about=About(type="product", id=str(mug.pk)),
        entered_at=shop.clock.now,
        clock_at=shop.clock.now,
    )

    def ask(**options: Any) -> Any:
        condition = conditions.from_options({"kind": "cheaper_than_seen", **options})
        [verdict] = condition.holds_many([someone], shop.clock.now)
        return verdict

    assert ask().holds
    assert ask(percent="20").holds
    assert not ask(percent="21").holds
    assert not ask(amount="6").holds
    assert ask().compared["saw"] == Decimal("25.00")
    PriceSeen.objects.update(currency="USD")
    assert not ask().holds
    PriceSeen.objects.all().delete()
    assert not ask().holds
