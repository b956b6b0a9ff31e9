"""Waves: first come, first served, and never more letters than there are units."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from oscar.core.loading import get_model

from oscar_triggers.models import JournalEntry, ProductRequest, RequestState
from oscar_triggers.shop.requests import waiting_counts
from tests.shop.conftest import make_order
from tests.shopping import make_product

from .conftest import Shop, restock, sell, states, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def guests(*numbers: int) -> list[str]:
    return [f"guest-{n}@example.com" for n in numbers]


def test_five_free_and_fifty_waiting_are_five_letters_then_the_next_as_stock_stays(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 50)
    assert shop.ring() == []
    restock(mug, 5)
    assert sorted(shop.ring()) == guests(0, 1, 2, 3, 4)
    assert "Hurry!" in mail.outbox[0].alternatives[0][0]
    # The units are theirs for a day; then the next five are told.
    assert shop.ring(timedelta(hours=20)) == []
    assert sorted(shop.ring(timedelta(hours=5))) == guests(5, 6, 7, 8, 9)
    assert waiting_counts([mug.pk]) == {mug.pk: 40}


def test_two_orders_meanwhile_are_two_letters_less(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 50)
    restock(mug, 5)
    sell(mug, 2)
    assert sorted(shop.ring()) == guests(0, 1, 2)


def test_what_sells_between_the_claim_and_the_letter_is_not_promised(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 10)
    restock(mug, 5)
    assert shop.sweep()["told"] == 5
    sell(mug, 2)
    assert sorted(shop.ring()) == guests(0, 1, 2)
    # The last two wait again, before those who came later.
    shop.ring()
    assert states()[:6] == ["told"] * 3 + ["waiting"] * 3
    restock(mug, 6)
    assert sorted(shop.ring()) == guests(3)


def test_sold_out_between_the_claim_and_the_letter_is_no_letter_and_the_same_place(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 3)
    restock(mug, 2)
    assert shop.sweep()["told"] == 2
    mug.stockrecords.update(num_in_stock=0)
    assert shop.ring() == []
    assert shop.ring() == []
    assert states() == ["waiting"] * 3
    restock(mug, 2)
    assert sorted(shop.ring()) == guests(0, 1)


def test_nothing_is_told_while_nothing_is_left(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 2)
    restock(mug, 1)
    assert shop.ring() == guests(0)
    sell(mug, 1)
    assert shop.ring(timedelta(days=2)) == []


def test_the_quantity_that_is_wanted_counts(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 3, quantity=2)
    restock(mug, 5)
    assert sorted(shop.ring()) == guests(0, 1)


def test_who_wants_more_than_there_is_keeps_the_place_and_others_get_what_there_is(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    first, *_others = wait_for(mug, 2)
    ProductRequest.objects.filter(pk=first.pk).update(quantity=3)
    restock(mug, 2)
    assert shop.ring() == guests(1)
    restock(mug, 4)
    assert shop.ring() == guests(0)


def test_many_who_want_more_than_there_is_keep_nobody_behind_them_from_a_turn(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish(most_per_wave=2)
    requests = wait_for(mug, 6)
    ProductRequest.objects.filter(pk__in=[one.pk for one in requests[:4]]).update(quantity=5)
    restock(mug, 2)
    assert sorted(shop.ring()) == guests(4, 5)
    assert states() == ["waiting"] * 4 + ["told"] * 2


def test_an_order_of_the_person_ends_it_and_frees_nothing_twice(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 3)
    restock(mug, 1)
    assert shop.ring() == guests(0)
    order = make_order("A-1", guest_email="Guest-0@Example.com", date_placed=shop.now)
    record = mug.stockrecords.get()
    get_model("order", "Line").objects.create(
        order=order, product=mug, stockrecord=record, title="Mug", upc="", quantity=1,
        line_price_incl_tax=Decimal(12), line_price_excl_tax=Decimal(12),
        line_price_before_discounts_incl_tax=Decimal(12),
        line_price_before_discounts_excl_tax=Decimal(12), num_allocated=1,
    )  # fmt: skip
    record.allocate(1)
    assert shop.ring() == []
    assert states() == ["bought", "waiting", "waiting"]
    # One more comes: it is for the next in the line, and only one.
    restock(mug, 2)
    assert shop.ring() == guests(1)


def test_a_wave_is_no_larger_than_the_flow_says(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish(most_per_wave=2)
    wait_for(mug, 3)
    restock(mug, 100)
    assert sorted(shop.ring()) == guests(0, 1)
    assert "Hurry!" not in mail.outbox[0].alternatives[0][0]
    assert shop.ring() == guests(2)


def test_a_product_without_counted_stock_is_told_to_everybody(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 3)
    mug.product_class.track_stock = False
    mug.product_class.save()
    assert sorted(shop.ring()) == guests(0, 1, 2)


def test_stock_that_no_signal_told_of_is_seen_too(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 1)
    mug.stockrecords.update(num_in_stock=1)
    assert shop.ring() == guests(0)


def test_a_hidden_product_is_told_to_nobody(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 1)
    type(mug).objects.filter(pk=mug.pk).update(is_public=False)
    restock(mug, 1)
    assert shop.ring() == []


def make_family() -> tuple[Any, Any, Any]:
    """Return a shirt, and it in red and in blue, both sold out."""
    from oscar.test import factories

    shirt = factories.create_product(title="Shirt", structure="parent", product_class="Gear")
    red, blue = (
        make_product("", price=Decimal(20), num_in_stock=0, parent=shirt) for _colour in "rb"
    )
    return shirt, red, blue


def test_who_waits_for_a_product_is_told_of_any_variant(
    shop: Shop, publish: Callable[..., Any]
) -> None:
    shirt, _red, blue = make_family()
    publish()
    wait_for(shirt, 3)
    restock(blue, 2)
    assert sorted(shop.ring()) == guests(0, 1)
    told = ProductRequest.objects.filter(state=RequestState.TOLD)
    assert set(told.values_list("answer_id", flat=True)) == {blue.pk}


def test_who_waits_for_a_variant_is_told_of_another_only_if_the_flow_says_so(
    shop: Shop, publish: Callable[..., Any]
) -> None:
    _shirt, red, blue = make_family()
    publish()
    wait_for(red, 1)
    restock(blue, 1)
    assert shop.ring() == []
    publish(siblings=True)
    assert shop.ring() == guests(0)


def test_a_variant_and_its_parent_share_what_there_is(
    shop: Shop, publish: Callable[..., Any]
) -> None:
    shirt, red, _blue = make_family()
    publish()
    wait_for(shirt, 1)
    moment = ProductRequest.objects.get()
    wait_for(red, 2)
    restock(red, 1)
    assert len(shop.ring()) == 1
    moment.refresh_from_db()
    assert ProductRequest.objects.filter(state=RequestState.TOLD).count() == 1


def test_a_request_that_is_too_old_is_over(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish(longest_wait="30d")
    wait_for(mug, 1)
    shop.ring(timedelta(days=31))
    restock(mug, 1)
    assert shop.ring() == []
    assert states() == ["expired"]
    assert JournalEntry.objects.filter(kind="request_expired").count() == 1


def test_a_product_that_is_gone_is_said_once_and_only_after_a_while(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish("product_discontinued", gone_for="7d")
    wait_for(mug, 2)
    mug.is_public = False
    mug.save()
    shop.ring(timedelta(days=6))
    assert states() == ["waiting"] * 2
    assert sorted(shop.ring(timedelta(days=2))) == guests(0, 1)
    assert states() == ["expired"] * 2
    assert shop.ring(timedelta(days=2)) == []


def test_without_a_flow_nothing_is_told(shop: Shop, mug: Any) -> None:
    wait_for(mug, 1)
    restock(mug, 1)
    assert shop.ring() == []
    assert states() == ["waiting"]


def test_who_cancels_after_the_claim_gets_no_letter(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    from oscar_triggers.shop.requests import asking

    publish()
    [request, _other] = wait_for(mug, 2)
    restock(mug, 1)
    assert shop.sweep()["told"] == 1
    assert asking.cancel(request, shop.now)
    assert shop.ring() == guests(1)
    assert states() == ["cancelled", "told"]


def test_a_wave_asks_the_database_as_often_for_one_as_for_forty(
    shop: Shop, publish: Callable[..., Any], mug: Any, django_assert_max_num_queries: Any
) -> None:
    from oscar_triggers.shop.requests import terms, waves

    publish()
    wait_for(mug, 40)
    restock(mug, 40)
    current = terms.current()
    assert current is not None
    with django_assert_max_num_queries(25):
        assert waves.send(current, shop.now) == 40
