"""A letter about products goes only while what it says is true, asked where it is marked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Q
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test.factories import UserFactory

from oscar_triggers.models import Pulse
from oscar_triggers.policy import guards
from oscar_triggers.policy.guards import Consequence, Refused
from oscar_triggers.shop.products.guard import ProductGuard
from oscar_triggers.snapshots import Subject
from tests.shopping import make_product

from .conftest import order_of, subject_about
from .test_said import make_variant

pytestmark = pytest.mark.django_db

KINDS = ["product", "product_request", "price_drop"]


def written(*products: Any, quantity: int = 1, tracked: bool = True, **more: Any) -> dict[str, Any]:
    """Return what a letter about products was written from."""
    return {
        "products": [product.pk for product in products],
        "stock": {
            str(record.pk): {"price": str(record.price), "tracked": tracked, "quantity": quantity}
            for product in products
            for record in product.stockrecords.all()
        },
        "all_needed": False,
        **more,
    }


def refused(subject: Subject, observed: Any) -> Refused | None:
    """Ask the database as the mark does; the explanation must say the same."""
    Pulse.objects.get_or_create(name="marked")
    [guard] = [one for one in guards.guards_for(subject) if one.name == "products"]
    refusal = guard.refusal(subject, observed)
    assert refusal is not None
    marked = Pulse.objects.filter(~Q(refusal), name="marked").update(ran_at=timezone.now())
    why = guard.explain(subject, observed, timezone.now())
    assert (why is None) == bool(marked), why
    return why


def why(subject: Subject, observed: Any) -> Refused:
    """Return why it is refused."""
    found = refused(subject, observed)
    assert found is not None, "the letter would have gone"
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_letter_whose_products_are_there_may_go(kind: str, product: Any, member: Any) -> None:
    order_of("before", product, user=member)
    subject = subject_about(
        kind,
        product.pk,
        user_id=member.pk,
        emails=("anna@example.com",),
        phones=("+441632960001",),
    )
    assert refused(subject, written(product, quantity=10)) is None
    product.stockrecords.update(price=Decimal("12.00"))
    assert refused(subject, written(product)) is None, "cheaper than it says harms nobody"


@pytest.mark.parametrize(
    ("change", "reason", "compared"),
    [
        ("sold", "sold_out", {"left": 1, "needed": 2}),
        ("allocated", "sold_out", {"left": 1, "needed": 2}),
        ("uncounted", "sold_out", {"left": 0, "needed": 2}),
        ("hidden", "sold_out", {"shown": False}),
        ("deleted", "sold_out", {"exists": False}),
        ("no_price", "sold_out", {"written": "12.50", "now": None}),
        ("no_record", "sold_out", {"exists": False}),
    ],
)
def test_what_can_no_longer_be_bought_stops_the_letter(
    product: Any, change: str, reason: str, compared: dict[str, Any]
) -> None:
    subject = subject_about("product_request", 7)
    observed = written(product, quantity=2)
    assert refused(subject, observed) is None
    if change == "sold":
        product.stockrecords.update(num_in_stock=1)
    elif change == "allocated":
        product.stockrecords.update(num_allocated=9)
    elif change == "uncounted":
        product.stockrecords.update(num_in_stock=None)
    elif change == "hidden":
        type(product).objects.update(is_public=False)
    elif change == "deleted":
        product.delete()
    elif change == "no_price":
        product.stockrecords.update(price=None)
    else:
        product.stockrecords.all().delete()
    said = why(subject, observed)
    assert (said.reason, said.consequence) == (reason, Consequence.EXIT)
    assert said.exit_reason == "condition"
    [one] = said.compared["products"].values()
    assert compared.items() <= one.items()


def test_a_variant_whose_parent_is_hidden_stops_the_letter(product: Any) -> None:
    parent = make_product("Pot", price=Decimal(5), num_in_stock=None)
    parent.structure = "parent"
    parent.save()
    parent.stockrecords.all().delete()
    child = make_variant(parent, "cream")
    subject = subject_about("product", child.pk)
    observed = written(child)
    assert refused(subject, observed) is None
    type(parent).objects.filter(pk=parent.pk).update(is_public=False)
    assert why(subject, observed).reason == "sold_out"


def test_goods_that_are_not_counted_keep_nothing_back(product: Any) -> None:
    product.stockrecords.update(num_in_stock=0)
    assert refused(subject_about("product", product.pk), written(product, tracked=False)) is None


@pytest.mark.parametrize(
    ("kind", "consequence"),
    [
        ("product", Consequence.STALE),
        ("product_request", Consequence.STALE),
        ("price_drop", Consequence.EXIT),
    ],
)
def test_a_higher_price_is_written_anew_and_ends_news_of_a_lower_one(
    product: Any, kind: str, consequence: Consequence
) -> None:
    subject, observed = subject_about(kind, product.pk), written(product)
    product.stockrecords.update(price=F("price") + Decimal("0.004"))
    assert refused(subject, observed) is None, "as the database reckons, not as people do"
    product.stockrecords.update(price=Decimal("12.51"))
    said = why(subject, observed)
    assert (said.reason, said.consequence) == ("price_changed", consequence)
    [one] = said.compared["products"].values()
    assert (one["written"], one["now"]) == ("12.50", Decimal("12.51"))
    silent = {"stock": {pk: {**one, "price": None} for pk, one in observed["stock"].items()}}
    assert refused(subject, {**observed, **silent}) is None, "it says no price"


def test_a_letter_of_several_is_written_again_without_what_is_gone(
    product: Any, other_product: Any
) -> None:
    subject, observed = subject_about("price_drop", "1:now"), written(product, other_product)
    product.stockrecords.update(num_in_stock=0)
    said = why(subject, observed)
    assert (said.reason, said.consequence) == ("sold_out", Consequence.STALE)
    assert list(said.compared["products"]) == [str(product.pk)]
    needed = why(subject, {**observed, "all_needed": True})
    assert needed.consequence is Consequence.EXIT
    other_product.stockrecords.update(price=Decimal("199.00"))
    assert why(subject, observed).consequence is Consequence.EXIT, "nothing is left to say"


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("customer", {"user": "member"}),
        ("email", {"guest_email": "Anna@EXAMPLE.com"}),
        ("email", {"user": "namesake"}),
        ("phone", {"phone": "+44 1632 960001"}),
    ],
)
def test_who_bought_it_meanwhile_is_not_told(
    product: Any, other_product: Any, member: Any, country: Any, by: str, order: dict[str, str]
) -> None:
    fields: dict[str, Any] = dict(order)
    if order.get("user") == "member":
        fields["user"] = member
    elif order.get("user") == "namesake":
        fields["user"] = UserFactory(username="second", email="ANNA@example.com")
    elif "phone" in fields:
        fields["shipping_address"] = get_model("order", "ShippingAddress").objects.create(
            line1="1 King Road", country=country, phone_number=fields.pop("phone")
        )
    known: dict[str, dict[str, Any]] = {
        "customer": {"user_id": member.pk},
        "email": {"emails": ("anna@example.com",)},
        "phone": {"phones": ("+441632960001",)},
    }
    order_of("B-0", product, **fields)
    subject, observed = subject_about("product_request", 7, **known[by]), written(product)
    assert refused(subject, observed) is None, "an order from before entry does not count"
    order_of("B-1", other_product, **fields)
    assert refused(subject, observed) is None, "it bought something else"
    order_of("B-2", product, **fields)
    said = why(subject, observed)
    assert (said.reason, said.exit_reason) == ("bought_meanwhile", "goal")
    assert said.compared["products"][str(product.pk)]["order"] == "B-2"
    assert said.compared["products"][str(product.pk)]["matched_by"] == by


def test_an_order_since_the_person_asked_counts_too(product: Any, member: Any) -> None:
    asked_at = timezone.now() - timedelta(days=3)
    order_of("B-3", product, user=member, date_placed=asked_at + timedelta(days=1))
    subject = subject_about("product_request", 7, user_id=member.pk)
    assert refused(subject, written(product)) is None
    assert why(subject, written(product, since=asked_at.isoformat())).reason == "bought_meanwhile"


def test_a_variant_that_was_bought_counts_for_its_parent(product: Any, member: Any) -> None:
    parent = get_model("catalogue", "Product").objects.create(
        title="Pot", structure="parent", product_class=product.product_class
    )
    child, sibling = make_variant(parent, "cream"), make_variant(parent, "blue")
    of_parent = subject_about("product", parent.pk, user_id=member.pk)
    of_sibling = subject_about("product", sibling.pk, user_id=member.pk)
    order_of("B-4", child, user=member)
    assert why(of_parent, {"products": [parent.pk]}).reason == "bought_meanwhile"
    assert refused(of_sibling, {"products": [sibling.pk]}) is None


def test_a_letter_about_one_product_is_guarded_also_when_nothing_was_observed(
    product: Any, member: Any
) -> None:
    subject = subject_about("product", product.pk, user_id=member.pk)
    assert refused(subject, {}) is None
    order_of("B-5", product, user=member)
    assert why(subject, {}).reason == "bought_meanwhile"
    assert refused(subject_about("product", "no number"), {}) is None


def test_the_statement_reads_the_same_for_any_number_of_letters_and_products(
    product: Any, other_product: Any
) -> None:
    guard = ProductGuard()

    def sql(several: Sequence[Any]) -> str:
        facts = [
            guard.facts(subject_about("product", 1, user_id=1), observed, connection)
            for observed in several
        ]
        return guard.condition(connection, "given.facts_0", [one for one in facts if one])[0]

    alone = sql([written(product)])
    assert sql([written(product, other_product), written(), written(other_product)]) == alone
