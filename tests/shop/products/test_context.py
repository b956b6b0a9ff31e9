"""Letters about products say what the shop would ask from that person today, or are not written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_triggers.content import tags
from oscar_triggers.content.values import Money, to_json
from oscar_triggers.models import Contact, ProductRequest, RequestKind, RequestState
from oscar_triggers.shop.products import samples
from oscar_triggers.shop.products.context import ProductContext
from tests.shopping import make_product

from .conftest import subject_about
from .test_guard import refused, why

pytestmark = pytest.mark.django_db


def provide(*subjects: Any) -> list[Any]:
    return ProductContext().provide_many(subjects, timezone.now())


@pytest.fixture
def request_of(member: Any) -> Any:
    """Return a function that writes a request to be told."""

    def make(product: Any, **fields: Any) -> ProductRequest:
        contact, _ = Contact.objects.get_or_create(
            identity_key=f"user:{member.pk}",
            defaults={"user": member, "created_at": timezone.now()},
        )
        values = {
            "contact": contact,
            "kind": RequestKind.BACK,
            "state": RequestState.TOLD,
            "product_id": product.pk,
            "created_at": timezone.now() - timedelta(days=3),
            **fields,
        }
        return ProductRequest.objects.create(**values)

    return make


def test_a_product_is_told_with_todays_price(product: Any, settings: Any) -> None:
    [given] = provide(subject_about("product", product.pk, language="en"))
    assert given.unavailable == ""
    told = given.values["product"]
    assert told["title"] == "Enamel mug"
    assert told["price"] == Money(amount=Decimal("12.50"), currency=settings.OSCAR_DEFAULT_CURRENCY)
    assert told["left"] is None, "ten are not few"
    assert given.values["products"] == [told]
    to_json(given.values)
    product.stockrecords.update(num_in_stock=3)
    [given] = provide(subject_about("product", product.pk))
    assert given.values["product"]["left"] == 3


def test_what_it_was_written_from_is_what_the_guard_compares(product: Any, member: Any) -> None:
    subject = subject_about("product", product.pk, user_id=member.pk)
    [given] = provide(subject)
    assert refused(subject, given.observed) is None
    product.stockrecords.update(num_allocated=10)
    assert why(subject, given.observed).reason == "sold_out"


@pytest.mark.parametrize(
    ("change", "reason"),
    [("sold", "sold_out"), ("hidden", "product_gone"), ("deleted", "product_gone")],
)
def test_what_cannot_be_bought_is_not_written_about(product: Any, change: str, reason: str) -> None:
    subject = subject_about("product", product.pk)
    if change == "sold":
        product.stockrecords.update(num_in_stock=0)
    elif change == "hidden":
        type(product).objects.update(is_public=False)
    else:
        product.delete()
    [given] = provide(
        subject,
    )
    assert (given.unavailable, given.values) == (reason, {})


def test_a_request_needs_as_many_as_were_asked_for(product: Any, request_of: Any) -> None:
    asked = request_of(product, quantity=4)
    subject = subject_about("product_request", asked.pk)
    [given] = provide(subject)
    [record] = given.observed["stock"].values()
    assert record["quantity"] == 4
    assert given.observed["since"] == asked.created_at.isoformat()
    product.stockrecords.update(num_in_stock=3)
    assert why(subject, given.observed).reason == "sold_out"
    [given] = provide(subject)
    assert given.unavailable == "sold_out"


def test_a_sibling_that_answers_a_request_is_what_is_told(
    product: Any, other_product: Any, request_of: Any
) -> None:
    asked = request_of(product)
    payload = {"product_id": other_product.pk}
    [given] = provide(subject_about("product_request", asked.pk, payload=payload))
    assert given.values["product"]["title"] == "Ridge tent"


def test_a_request_that_is_gone_says_so(product: Any) -> None:
    [given] = provide(subject_about("product_request", 987))
    assert given.unavailable == "product_gone"


def test_any_number_of_letters_costs_the_same_queries(product: Any, request_of: Any) -> None:
    def queries(subjects: list[Any]) -> int:
        with CaptureQueriesContext(connection) as caught:
            assert all(not one.unavailable for one in provide(*subjects))
        return len(caught)

    def both(number: int) -> list[Any]:
        pots = [make_product(f"Pot {number}-{n}", price=Decimal(5)) for n in range(number)]
        requests = [request_of(pot, quantity=2) for pot in pots]
        return [subject_about("product", pot.pk) for pot in pots] + [
            subject_about("product_request", one.pk) for one in requests
        ]

    few = queries(both(1))
    assert queries(both(7)) == few
    assert few <= 12


def test_every_tag_has_a_sample_in_each_language() -> None:
    for language in ("en", "de", "ru"):
        values = tags.samples("product", language)
        assert len(values["products"]) == 2
        assert values["product"] == values["products"][0]
        assert set(values["product"]) == {tag.path.split(".")[-1] for tag in samples.TAGS}
    assert tags.samples("product", "ru")["product"]["title"] == "Эмалированная кружка"


def test_the_tags_are_those_that_a_letter_is_filled_with(product: Any) -> None:
    [given] = provide(subject_about("product", product.pk))
    named = {tag.path.split(".")[-1] for tag in samples.TAGS}
    # Beside them its number, by which it is known later what the letter told.
    assert set(given.values["product"]) - {"id"} == named
