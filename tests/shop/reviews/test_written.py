"""Reviews that were written and approved, by whichever door they came."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_triggers.models import JournalEntry
from oscar_triggers.shop.reviews import receivers
from tests.shop.conftest import Clock, commit

from .conftest import review

pytestmark = pytest.mark.django_db


def told(kind: str) -> list[dict[str, Any]]:
    """Return what the journal has of a kind, oldest first."""
    rows = JournalEntry.objects.filter(kind=kind).order_by("pk")
    return list(rows.values_list("payload", flat=True))


def write(client: Any, product: Any, **fields: Any) -> Any:
    """Write a review at Oscar's own form."""
    address = reverse(
        "catalogue:reviews-add",
        kwargs={"product_slug": product.slug, "product_pk": product.pk},
    )
    response = client.post(address, {"title": "Fine", "score": 4, "body": "Very", **fields})
    assert response.status_code == 302, response.content
    commit()
    return get_model("reviews", "ProductReview").objects.latest("pk")


def test_a_review_at_the_shops_form_is_told_at_once(member_client: Any, product: Any) -> None:
    written = write(member_client, product)
    [one] = told("review_written")
    assert (one["review_id"], one["score"], one["member"]) == (written.pk, 4, True)
    assert len(told("review_approved")) == 1, "nobody reads reviews first in this shop"
    entry = JournalEntry.objects.get(kind="review_written")
    assert (entry.about_type, entry.about_id) == ("product", str(product.pk))


def test_a_guests_review_proves_no_address(client: Any, product: Any) -> None:
    write(client, product, name="Guest", email="Guest@example.com")
    entry = JournalEntry.objects.get(kind="review_written")
    assert entry.person["email"].lower() == "guest@example.com"
    assert "email_verified" not in entry.person


def test_where_staff_read_reviews_first_the_thanks_wait(
    member_client: Any, product: Any, clock: Clock, settings: Any
) -> None:
    settings.OSCAR_MODERATE_REVIEWS = True
    clock.tick()
    written = write(member_client, product)
    clock.tick()
    assert len(told("review_written")) == 1
    assert told("review_approved") == []
    type(written).objects.filter(pk=written.pk).update(status=1)
    clock.tick()
    clock.tick()
    assert len(told("review_approved")) == 1


def test_a_rejected_review_is_never_thanked_for_unless_approved_after_all(
    member: Any, product: Any, clock: Clock
) -> None:
    clock.tick()
    written = review(product, user=member, status=0)
    clock.tick()
    rows = type(written).objects.filter(pk=written.pk)
    rows.update(status=2)
    clock.tick()
    assert told("review_approved") == []
    rows.update(status=1)
    clock.tick()
    assert len(told("review_approved")) == 1


def test_reviews_from_elsewhere_are_found_once(member: Any, product: Any, clock: Clock) -> None:
    clock.tick()
    review(product, user=member)
    clock.tick()
    clock.tick()
    assert len(told("review_written")) == len(told("review_approved")) == 1


def test_the_first_look_tells_of_no_old_review_but_of_what_is_approved_later(
    member: Any, product: Any, other_product: Any, clock: Clock
) -> None:
    review(product, user=member)
    waiting = review(other_product, user=member, status=0)
    clock.tick()
    assert told("review_written") == told("review_approved") == []
    type(waiting).objects.filter(pk=waiting.pk).update(status=1)
    clock.tick()
    assert [one["review_id"] for one in told("review_approved")] == [waiting.pk]


def test_a_review_that_was_deleted_meanwhile_is_forgotten(
    member: Any, product: Any, clock: Clock
) -> None:
    clock.tick()
    review(product, user=member, status=0)
    clock.tick()
    get_model("reviews", "ProductReview").objects.all().delete()
    clock.tick()
    assert told("review_approved") == []


def test_a_failing_receiver_breaks_no_page(
    member_client: Any, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(receivers, "records_of", broken)
    write(member_client, product)
    assert told("review_written") == []
