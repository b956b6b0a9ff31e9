"""The letter that asks for reviews: a block for each product, asked anew before it leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content import context, tags
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, flows, templates
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Decision,
    Enrollment,
    Message,
    Owner,
    point_hash,
)
from oscar_triggers.snapshots import About, Subject
from tests.shop.conftest import Clock, commit, subject_of

from .conftest import order_of, review, sweep, watch

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)

BODY = """<mjml><mj-body><mj-section><mj-column>
{% for one in review.products %}<mj-text><a href="{{ one.url }}">{{ one.title }}</a>
{{ one.variant }} <a href="{{ one.star_1 }}">*</a> <a href="{{ one.star_5 }}">*****</a>
</mj-text><mj-button href="{{ one.review_url }}">Write</mj-button>{% endfor %}
<mj-text>{{ shop.postal_address }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""


def subject(number: str = "R-1", **known: Any) -> Subject:
    """Return somebody on the way through a flow that asks about an order."""
    values = {"payload": {"after_receipt": "8d"}, "about": About(type="order", id=number)}
    return subject_of(_Nothing(), **{**values, **known})


class _Nothing:
    pk = 0


def provide(*subjects: Subject) -> list[Any]:
    """Return what the provider of reviews says."""
    return context.registry.get("review").provide_many(subjects, timezone.now())


def test_a_block_says_what_was_bought_and_leads_to_the_form(member: Any, variant: Any) -> None:
    order_of(variant, user=member)
    [provided] = provide(subject())
    [block] = provided.values["review"]["products"]
    path = reverse("oscar_triggers:review", args=[variant.parent_id])
    assert block["title"] == "Down jacket"
    assert block["url"].endswith(variant.parent.get_absolute_url())
    assert block["review_url"].endswith(path)
    assert block["star_4"].endswith(f"{path}?score=4")
    assert block["star_4"].startswith("http")
    assert block["image_url"].startswith("http")


def test_the_variant_is_told_in_words(member: Any, variant: Any) -> None:
    attribute = get_model("catalogue", "ProductAttribute").objects.create(
        product_class=variant.parent.product_class, name="Colour", code="colour", type="text"
    )
    get_model("catalogue", "ProductAttributeValue").objects.create(
        attribute=attribute, product=variant, value_text="blue"
    )
    order_of(variant, user=member)
    [provided] = provide(subject())
    assert provided.values["review"]["products"][0]["variant"] == "Colour: blue"


def test_what_was_reviewed_meanwhile_drops_out(
    member: Any, product: Any, other_product: Any
) -> None:
    order_of(product, other_product, user=member)
    review(product, user=member)
    [provided] = provide(subject())
    assert [one["title"] for one in provided.values["review"]["products"]] == ["Ridge tent"]
    review(other_product, user=member)
    [provided] = provide(subject())
    assert provided.unavailable == "all_reviewed"


def test_other_letters_about_an_order_go_out_with_nothing_to_review(
    member: Any, product: Any
) -> None:
    order_of(product, user=member)
    review(product, user=member)
    [provided] = provide(subject(payload={"number": "R-1"}))
    assert provided.unavailable == ""
    assert provided.values == {"review": {"products": []}}


def test_what_a_person_is_known_by_counts_beside_what_the_order_says(
    product: Any,
) -> None:
    """The guest changed the address since, and wrote the review with the new one."""
    order_of(product, guest_email="old@example.com")
    review(product, email="New@example.com")
    assert provide(subject())[0].unavailable == ""
    assert provide(subject(emails=("new@example.com",)))[0].unavailable == "all_reviewed"


def test_a_batch_costs_as_many_queries_as_one_letter(
    member: Any, product: Any, other_product: Any, variant: Any
) -> None:
    for number in range(5):
        order_of(product, other_product, variant, user=member, number=f"R-{number}")

    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            provide(*[subject(f"R-{number}") for number in range(count)])
        return len(captured)

    assert queries(1) == queries(5)


@pytest.mark.parametrize("language", ["en", "de", "ru"])
def test_previews_show_two_products_in_each_language(language: str) -> None:
    sample = tags.samples("order", language)["review"]["products"]
    assert len(sample) == 2
    assert {"title", "image_url", "url", "review_url", "star_1", "star_5"} <= set(sample[0])


# ── From the order to the letter ────────────────────────────────────────────────────────────────


@pytest.fixture
def story(shop_site: Any, clock: Clock, member: Any) -> Callable[..., list[Any]]:
    """Publish a flow with two letters; return a function: ring, later; what went out."""
    ConsentEvent.objects.create(
        channel="email",
        point_hash=point_hash("email", member.email),
        topic="offers",
        action=ConsentAction.GRANT,
        basis=ConsentBasis.CONSENT,
        source="test",
        occurred_at=timezone.now() - DAY,
        recorded_at=timezone.now(),
    )
    templates.publish(
        "ask", "ask",
        LetterSource(subject="How do you like it?", body=BODY, language="en"),
        owner=Owner.FILE, now=clock.now,
    )  # fmt: skip
    flows.publish(
        FlowDefinition.from_dict(
            {
                "flow": "reviews",
                "trigger": "review_due",
                "steps": [
                    {"key": "ask", "kind": "send", "options": {"template": "ask"}},
                    {"key": "pause", "kind": "wait", "options": {"duration": "5d"}},
                    {"key": "remind", "kind": "send", "options": {"template": "ask"}},
                    {"key": "rest", "kind": "wait", "options": {"duration": "5d"}},
                ],
            }
        ),
        owner=Owner.FILE,
        now=clock.now,
    )
    sweep(clock.now)

    def ring(later: timedelta = timedelta(0)) -> list[Any]:
        commit()
        clock.now += later
        before = len(mail.outbox)
        for _ in range(3):
            clock.now += timedelta(seconds=121)
            clockwork.tick(clock.now)
        return mail.outbox[before:]

    return ring


def said() -> list[tuple[str, str, str]]:
    """Return the decisions, oldest first."""
    return list(Decision.objects.order_by("pk").values_list("rule", "verdict", "reason"))


def test_a_letter_a_review_a_reminder_about_the_rest(
    story: Any, member: Any, product: Any, other_product: Any, clock: Clock
) -> None:
    order = order_of(product, other_product, user=member, date_placed=clock.now)
    watch(order, placed_at=clock.now, received=clock.now)
    assert story(7 * DAY) == []
    [letter] = story(DAY)
    assert "Enamel mug" in letter.body
    assert "Ridge tent" in letter.body
    review(product, user=member)
    [reminder] = story(5 * DAY)
    assert "Enamel mug" not in reminder.body
    assert "Ridge tent" in reminder.body


def test_with_everything_reviewed_the_reminder_is_skipped_and_the_flow_is_over(
    story: Any, member: Any, product: Any, clock: Clock
) -> None:
    order = order_of(product, user=member, date_placed=clock.now)
    watch(order, placed_at=clock.now, received=clock.now)
    assert len(story(8 * DAY)) == 1, said()
    review(product, user=member, status=0)
    assert story(5 * DAY) == []
    assert ("review", "skipped", "all_reviewed") in said()
    assert Message.objects.filter(state="sent").count() == 1
    enrollment = Enrollment.objects.get()
    assert (enrollment.state, enrollment.exit_reason) == ("ended", "condition")


def test_what_came_back_after_the_event_is_not_asked_for(
    story: Any, member: Any, product: Any, clock: Clock
) -> None:
    order = order_of(product, user=member, date_placed=clock.now)
    watch(order, placed_at=clock.now, received=clock.now)
    assert len(story(8 * DAY)) == 1
    order.status = "Refunded"
    order.save()
    assert story(5 * DAY) == []
    assert Enrollment.objects.get().exit_reason == "condition"
