"""Questions about reviews: who wrote one, and whether an order has something left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers import conditions
from oscar_triggers.engine import contacts
from oscar_triggers.shop.reviews.asking import to_review_many
from oscar_triggers.shop.reviews.guard import ReviewGuard
from oscar_triggers.snapshots import About, Person, Subject
from tests.shop.test_conditions_orders import about_nothing

from .conftest import order_of, review

pytestmark = pytest.mark.django_db
ORDER = About(type="order", id="R-1")


def ask(kind: str, *subjects: Subject, **options: Any) -> list[Any]:
    """Return the verdicts."""
    question = conditions.from_options({"kind": kind, **options})
    return question.holds_many(subjects, timezone.now())


def test_who_wrote_a_review_is_known_by_account_and_by_address(member: Any, product: Any) -> None:
    customer = about_nothing(user_id=member.pk)
    guest = about_nothing(contact_id=5, emails=("guest@example.com",))
    stranger = about_nothing(contact_id=6, emails=("other@example.com",))
    people = (customer, guest, stranger)
    assert not any(one.holds for one in ask("has_reviewed", *people))
    review(product, user=member)
    review(product, email="Guest@Example.com", status=0)
    assert [one.holds for one in ask("has_reviewed", *people)] == [True, True, False]


def test_an_account_is_known_by_its_contact_alone(member: Any, product: Any) -> None:
    contact_id = contacts.resolve(Person(user_id=member.pk), now=timezone.now())
    review(product, user=member)
    assert ask("has_reviewed", about_nothing(contact_id=contact_id))[0].holds


def test_a_product_is_named_by_upc_or_number_and_lately_is_lately(
    member: Any, product: Any, other_product: Any, variant: Any
) -> None:
    someone = about_nothing(user_id=member.pk)
    review(product, user=member)
    review(variant, user=member)
    # After the reviews: Oscar saves the whole product with each.
    type(product).objects.filter(pk=product.pk).update(upc="MUG-1")
    assert ask("has_reviewed", someone, product="MUG-1")[0].holds
    assert ask("has_reviewed", someone, product=str(product.pk))[0].holds
    assert ask("has_reviewed", someone, product=str(variant.parent_id))[0].holds
    assert not ask("has_reviewed", someone, product=str(other_product.pk))[0].holds
    assert ask("has_reviewed", someone, within="1h")[0].compared["reviews"] == 2
    get_model("reviews", "ProductReview").objects.update(
        date_created=timezone.now() - timedelta(days=2)
    )
    assert not ask("has_reviewed", someone, within="1d")[0].holds


def test_an_order_has_something_to_review_until_all_is_reviewed(
    member: Any, product: Any, other_product: Any
) -> None:
    order_of(product, other_product, user=member)
    someone = about_nothing(about=ORDER)
    review(product, user=member)
    [verdict] = ask("order_to_review", someone)
    assert verdict.holds
    assert (verdict.compared["products"], verdict.compared["reviewed"]) == (2, 1)
    review(other_product, email="ANNA@example.com")
    [verdict] = ask("order_to_review", someone)
    assert not verdict.holds
    assert verdict.compared["why"] == "all_reviewed"


def test_batches_cost_as_many_queries_as_one(member: Any, product: Any) -> None:
    for number in range(4):
        order_of(product, user=member, number=f"R-{number}")
    review(product, user=member)

    def queries(kind: str, count: int) -> int:
        people = [
            about_nothing(user_id=member.pk, about=About(type="order", id=f"R-{number}"))
            for number in range(count)
        ]
        with CaptureQueriesContext(connection) as captured:
            ask(kind, *people)
        return len(captured)

    for kind in ("has_reviewed", "order_to_review"):
        assert queries(kind, 1) == queries(kind, 4), kind


def test_the_guard_speaks_only_for_flows_that_ask_for_reviews(member: Any, product: Any) -> None:
    order_of(product, user=member)
    review(product, user=member)
    asking = about_nothing(about=ORDER, payload={"after_receipt": "8d"})
    guard, now = ReviewGuard(), timezone.now()
    refused = guard.explain(asking, {}, now)
    assert refused is not None
    assert (refused.reason, refused.consequence) == ("all_reviewed", "exit")
    assert guard.explain(about_nothing(about=ORDER), {}, now) is None
    assert guard.refusal(asking, {}) is None
    assert to_review_many([]) == []
