"""What of an order can be reviewed: what arrived, was kept, is shown, and has no review yet."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_triggers.shop.reviews.asking import Asked, to_review_many
from tests.shopping import make_product

from .conftest import left, line_of, order_of, pay_back, review, ship, why

pytestmark = pytest.mark.django_db


def test_everything_of_an_order_of_which_nothing_more_is_known(
    member: Any, product: Any, other_product: Any
) -> None:
    order_of(product, other_product, user=member)
    assert left() == [product.pk, other_product.pk]


def test_of_a_partly_delivered_order_only_what_was_delivered(
    member: Any, product: Any, other_product: Any
) -> None:
    order = order_of(product, other_product, user=member)
    ship("Shipped", order, *[(line, 1) for line in order.lines.all()])
    ship("Delivered", order, (line_of(order, other_product), 1))
    assert left() == [other_product.pk]


def test_of_a_partly_shipped_order_only_what_was_shipped(
    member: Any, product: Any, other_product: Any
) -> None:
    order = order_of(product, other_product, user=member)
    ship("Shipped", order, (line_of(order, product), 1))
    assert left() == [product.pk]


def test_statuses_of_lines_tell_what_was_delivered(
    member: Any, product: Any, other_product: Any
) -> None:
    order = order_of(product, other_product, user=member)
    order.lines.filter(product=product).update(status="Delivered")
    order.lines.filter(product=other_product).update(status="Being processed")
    assert left() == [product.pk]


def test_a_shop_with_words_of_its_own_says_what_they_mean(
    member: Any, product: Any, other_product: Any, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "ORDER_STAGES": {"received": ("Zugestellt",)},
    }
    order = order_of(product, other_product, user=member)
    ship("zugestellt", order, (line_of(order, product), 1))
    assert left() == [product.pk]


@pytest.mark.parametrize(("bought", "back", "asked"), [(1, 1, False), (3, 1, True), (3, 3, False)])
def test_of_a_partly_refunded_order_only_what_was_kept(
    member: Any, product: Any, other_product: Any, bought: int, back: int, asked: bool
) -> None:
    order = order_of(product, other_product, user=member, quantity=bought)
    pay_back(order, "5.00", (line_of(order, product), back))
    assert left() == ([product.pk] if asked else []) + [other_product.pk]


def test_what_came_back_and_what_was_cancelled_is_not_asked_for(
    member: Any, product: Any, other_product: Any
) -> None:
    order = order_of(product, other_product, user=member)
    ship("Delivered", order, *[(line, 1) for line in order.lines.all()])
    ship("Returned", order, (line_of(order, product), 1))
    assert left() == [other_product.pk]
    order.lines.filter(product=other_product).update(status="Cancelled")
    assert left() == []
    assert why() == "nothing_received"


def test_a_piece_that_never_left_and_was_paid_back_is_not_taken_off_twice(
    member: Any, product: Any
) -> None:
    order = order_of(product, user=member, quantity=3)
    line = line_of(order, product)
    ship("Delivered", order, (line, 2))
    ship("Cancelled", order, (line, 1))
    pay_back(order, "5.00", (line, 1))
    assert left() == [product.pk]


@pytest.mark.parametrize("status", ["Cancelled", "Refunded"])
def test_an_order_that_is_over_asks_for_nothing(member: Any, product: Any, status: str) -> None:
    order_of(product, user=member, status=status)
    assert (left(), why()) == ([], "nothing_received")


def test_an_order_of_which_all_the_money_went_back_asks_for_nothing(
    member: Any, product: Any
) -> None:
    order = order_of(product, user=member, total_incl_tax=Decimal("12.50"))
    pay_back(order, "5.00")
    assert left() == [product.pk], "a part of the money says nothing of goods"
    pay_back(order, "7.50")
    assert left() == []


def test_money_that_went_back_for_some_goods_and_then_for_the_rest_is_all_of_it(
    member: Any, product: Any, other_product: Any
) -> None:
    order = order_of(product, other_product, user=member, total_incl_tax=Decimal("30.00"))
    pay_back(order, "10.00", (line_of(order, product), 1))
    assert left() == [other_product.pk]
    pay_back(order, "20.00")
    assert left() == []


def test_money_that_went_back_to_the_payment_source_went_back(member: Any, product: Any) -> None:
    order = order_of(product, user=member, total_incl_tax=Decimal("12.50"))
    kind = get_model("payment", "SourceType").objects.create(name="Card")
    card = order.sources.create(source_type=kind, currency="EUR", amount_debited=Decimal("12.50"))
    card.refund(Decimal("2.50"))
    assert left() == [product.pk]
    card.refund(Decimal("10.00"))
    assert left() == []


def test_a_variant_is_reviewed_at_its_parent(member: Any, variant: Any) -> None:
    order_of(variant, user=member)
    [answer] = to_review_many([Asked(number="R-1")])
    [one] = answer.products
    assert (one.product_id, one.bought_id) == (variant.parent_id, variant.pk)


def test_whoever_reviewed_the_parent_is_not_asked_about_a_variant(
    member: Any, variant: Any
) -> None:
    order_of(variant, user=member)
    review(variant.parent, user=member)
    assert (left(), why()) == ([], "all_reviewed")


def test_whoever_reviewed_the_variant_is_not_asked_about_its_parent(
    member: Any, variant: Any
) -> None:
    order_of(variant, user=member)
    review(variant, user=member)
    assert left() == []


def test_two_variants_of_one_product_are_one_product(member: Any, variant: Any) -> None:
    sibling = make_product("Red", price=Decimal("120.00"), parent=variant.parent)
    order_of(variant, sibling, user=member)
    assert left() == [variant.parent_id]


def test_a_guest_is_known_by_the_address_in_any_case(product: Any, other_product: Any) -> None:
    order_of(product, other_product, guest_email="Guest@Example.com")
    review(product, email="gUEST@example.COM")
    review(other_product, email="somebody@example.com")
    assert left() == [other_product.pk]


def test_a_guest_who_reviewed_with_an_account_of_that_address_is_known(
    member: Any, product: Any
) -> None:
    order_of(product, guest_email="ANNA@example.com")
    review(product, user=member)
    assert left() == []


def test_a_customer_who_reviewed_as_a_guest_is_known(member: Any, product: Any) -> None:
    order_of(product, user=member)
    review(product, email="Anna@Example.com")
    assert left() == []


def test_somebody_elses_review_changes_nothing(member: Any, product: Any) -> None:
    order_of(product, user=member)
    review(product, email="other@example.com")
    assert left() == [product.pk]


def test_the_second_order_of_the_same_product_does_not_ask_again(
    member: Any, product: Any, other_product: Any
) -> None:
    order_of(product, user=member)
    order_of(product, other_product, user=member, number="R-2")
    assert left("R-2") == [product.pk, other_product.pk], "nobody wrote after the first one"
    review(product, user=member)
    assert left("R-2") == [other_product.pk]


def test_a_review_that_waits_for_approval_is_written(member: Any, product: Any) -> None:
    order_of(product, user=member)
    waiting = review(product, user=member, status=0)
    assert waiting.pending_moderation
    assert left() == []


def test_a_rejected_review_counts_unless_the_flow_says_otherwise(product: Any) -> None:
    order_of(product, guest_email="guest@example.com")
    review(product, email="guest@example.com", status=2)
    assert left() == []
    assert left(ask_after_rejection=True) == [product.pk]


def test_an_account_is_not_asked_again_as_the_shop_would_refuse_it(
    member: Any, product: Any
) -> None:
    order_of(product, user=member)
    review(product, user=member, status=2)
    assert left(ask_after_rejection=True) == []


def test_what_is_not_shown_any_more_is_not_asked_for(
    member: Any, product: Any, variant: Any
) -> None:
    order = order_of(product, variant, user=member)
    type(product).objects.filter(pk=product.pk).update(is_public=False)
    assert left() == [variant.parent_id]
    type(product).objects.filter(pk=variant.parent_id).update(is_public=False)
    assert (left(), why()) == ([], "not_reviewable")
    order.lines.update(product=None)
    assert left() == []


def test_guests_are_not_asked_where_only_customers_may_write(
    product: Any, member: Any, settings: Any
) -> None:
    settings.OSCAR_ALLOW_ANON_REVIEWS = False
    order_of(product, guest_email="guest@example.com")
    order_of(product, user=member, number="R-2")
    assert (left(), why()) == ([], "not_reviewable")
    assert left("R-2") == [product.pk]
    settings.OSCAR_HIDDEN_FEATURES = ["reviews"]
    assert left("R-2") == []


def test_an_order_that_nobody_knows_asks_for_nothing() -> None:
    assert (left("R-404"), why("R-404")) == ([], "nothing_received")


def test_a_batch_costs_as_many_queries_as_one(
    member: Any, product: Any, other_product: Any, variant: Any
) -> None:
    for number in range(6):
        order_of(product, other_product, variant, user=member, number=f"R-{number}")
    review(product, user=member)

    def queries(count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            to_review_many([Asked(number=f"R-{number}") for number in range(count)])
        return len(captured)

    assert queries(1) == queries(6) == 8
