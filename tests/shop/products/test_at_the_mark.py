"""A letter about a product, from the event to the mail: what changes on the way is never missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail

from oscar_triggers import signals
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, flows, intake, templates
from oscar_triggers.models import Decision, Enrollment, Message, Owner
from oscar_triggers.shop.prices.events import ProductViewed
from oscar_triggers.snapshots import About, Person
from tests.shop.companions.conftest import in_category
from tests.shop.conftest import Clock
from tests.shop.prices.conftest import agree

from .conftest import order_of

pytestmark = pytest.mark.django_db(transaction=True)

BODY = """<mjml><mj-body><mj-section><mj-column><mj-text>
({{ product.title }} for {{ product.price }}%s)
</mj-text><mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a>
{{ shop.postal_address }}</mj-text></mj-column></mj-section></mj-body></mjml>"""


class Story:
    """Somebody looked at a product, and a letter is due about it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def publish(self, more: str = "") -> None:
        """Publish a flow that writes at once to who looked at a product."""
        source = LetterSource(subject="Still there", body=BODY % more, language="en")
        templates.publish("looked", "Looked", source, owner=Owner.FILE, now=self.clock.now)
        definition = FlowDefinition.from_dict(
            {
                "flow": "looked",
                "trigger": {"kind": "product_viewed"},
                "steps": [
                    {"key": "letter", "kind": "send", "options": {"template": "looked"}},
                    {"key": "pause", "kind": "wait", "options": {"duration": "20d"}},
                ],
            }
        )
        flows.publish(definition, owner=Owner.FILE, now=self.clock.now)

    def look(self, product: Any, user: Any) -> None:
        """Have somebody look at a product."""
        self.clock.now += timedelta(seconds=1)
        intake.record(
            ProductViewed(product_id=product.pk),
            person=Person(user_id=user.pk),
            about=About(type="product", id=str(product.pk)),
            occurred_at=self.clock.now,
        )

    def letters(self) -> list[str]:
        """Ring until everything that is due has left; return what was said."""
        before = len(mail.outbox)
        for _ in range(4):
            self.clock.now += timedelta(seconds=10)
            clockwork.tick(self.clock.now)
        said = [str(one.body) for one in mail.outbox[before:]]
        return [" ".join(one[one.index("(") : one.rindex(")") + 1].split()) for one in said]


@contextmanager
def just_before_the_mark(deed: Callable[[], Any]) -> Iterator[None]:
    """Do something once, when a letter is written and not marked yet."""
    done: list[bool] = []

    def do(**kwargs: Any) -> None:
        if not done:
            done.append(True)
            deed()

    signals.message_sending.connect(do)
    try:
        yield
    finally:
        signals.message_sending.disconnect(do)
    assert done, "no letter came so far"


@pytest.fixture
def story(clock: Clock, shop_site: Any, member: Any) -> Story:
    """Return the shop; the member agreed to letters."""
    agree(member.email, clock)
    return Story(clock)


def test_who_looked_at_a_product_is_written_to(story: Story, member: Any, product: Any) -> None:
    story.publish()
    story.look(product, member)
    assert story.letters() == ["(Enamel mug for €12.50)"]


def test_what_sells_out_when_the_letter_is_written_is_not_told(
    story: Story, member: Any, product: Any
) -> None:
    story.publish()
    story.look(product, member)
    with just_before_the_mark(lambda: product.stockrecords.update(num_allocated=10)):
        assert story.letters() == []
    refused = Decision.objects.get(rule="products", reason="sold_out")
    assert refused.compared["left"] == 0
    assert refused.compared["needed"] == 1
    assert Message.objects.get().state == "skipped"
    assert Enrollment.objects.get().exit_reason == "condition"


def test_who_buys_it_when_the_letter_is_written_is_not_told(
    story: Story, member: Any, product: Any
) -> None:
    story.publish()
    story.look(product, member)
    with just_before_the_mark(lambda: order_of("M-1", product, user=member)):
        assert story.letters() == []
    refused = Decision.objects.get(reason="bought_meanwhile")
    assert refused.compared["order"] == "M-1"
    assert Enrollment.objects.get().exit_reason == "goal"


def test_a_letter_never_says_a_price_that_rose(story: Story, member: Any, product: Any) -> None:
    story.publish()
    story.look(product, member)
    with just_before_the_mark(lambda: product.stockrecords.update(price=Decimal("13.00"))):
        assert story.letters() == ["(Enamel mug for €13.00)"]
    stale = Decision.objects.get(verdict="stale")
    assert stale.reason == "price_changed"
    assert stale.compared["written"] == "12.50"


def test_a_letter_says_what_is_like_it(story: Story, member: Any, category: Any) -> None:
    mug = in_category(category, "Mug", style="rustic")
    in_category(category, "Bowl", "7.00", style="modern")
    in_category(category, "Jug", "8.00", style="rustic")
    story.publish(
        "{% for one in recommended.similar %}, {{ one.title }} for {{ one.price }}{% endfor %}"
    )
    story.look(mug, member)
    assert story.letters() == ["(Mug for €10.00, Jug for €8.00, Bowl for €7.00)"]
