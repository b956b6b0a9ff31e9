"""Left baskets: found in time, told once, and never those that are none of our business."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.engine import flows, intake
from oscar_triggers.models import BasketWatch, Enrollment, EnrollmentState, FlowVersion
from oscar_triggers.shop import baskets
from oscar_triggers.shop.events import BasketLeft, BasketLeftOptions, about_basket
from oscar_triggers.snapshots import Person

from .conftest import Clock, backdate, enrollment_of, lefts, make_order, publish_flow, watch_of

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_a_members_basket_is_left_after_an_hour_and_told_once(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any, member: Any
) -> None:
    shopper.add(product, quantity=2)
    clock.tick()
    clock.tick(58 * MINUTE)
    assert lefts() == []
    clock.tick(3 * MINUTE)
    clock.tick(HOUR)
    [told] = lefts()
    basket = shopper.basket
    assert told["basket_id"] == basket.pk
    assert (told["idle"], told["episode"], told["line_count"]) == (3600, 1, 1)
    assert (told["value"], told["currency"], told["member"]) == ("25.00", "EUR", True)
    enrollment = enrollment_of(basket)
    assert enrollment.contact.user_id == member.pk
    assert enrollment.episode_key == f"basket:{basket.pk}:1"


def test_a_guest_is_known_from_the_checkout(
    flow: FlowVersion, clock: Clock, guest: Any, product: Any
) -> None:
    guest.add(product)
    clock.tick(2 * HOUR)
    assert lefts() == [], "nobody knows yet who it is"
    guest.start_checkout()
    clock.tick()
    clock.tick(HOUR)
    [told] = lefts()
    assert told["member"] is False
    points = enrollment_of(guest.basket).contact.points.values_list("normalised", flat=True)
    assert list(points) == [guest.email]


def test_a_guest_who_corrects_the_address_is_written_to_there_only(
    flow: FlowVersion, clock: Clock, guest: Any, product: Any
) -> None:
    guest.add(product)
    guest.email = "gust@example.com"
    guest.start_checkout()
    clock.tick()
    clock.tick(2 * HOUR)
    wrong = enrollment_of(guest.basket)
    guest.email = "guest@example.com"
    guest.start_checkout()
    clock.tick()
    wrong.refresh_from_db()
    assert wrong.exit_reason == "superseded"
    clock.tick(2 * HOUR)
    right = enrollment_of(guest.basket)
    assert right.contact_id != wrong.contact_id
    assert right.state == EnrollmentState.ACTIVE


def test_what_the_shopper_does_starts_the_time_anew(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any, other_product: Any
) -> None:
    shopper.add(product)
    clock.tick(50 * MINUTE)
    shopper.add(other_product)
    shopper.basket.lines.filter(product=other_product).update(date_updated=clock.now)
    clock.tick()
    clock.tick(55 * MINUTE)
    assert lefts() == []
    clock.tick(6 * MINUTE)
    assert len(lefts()) == 1


@pytest.mark.parametrize("act", ["removal", "update", "voucher", "owner"])
def test_changes_that_leave_no_date_start_the_time_anew_from_their_detection(
    flow: FlowVersion,
    clock: Clock,
    shopper: Any,
    product: Any,
    other_product: Any,
    act: str,
) -> None:
    shopper.add(product)
    shopper.add(other_product)
    basket = shopper.basket
    clock.tick(50 * MINUTE)
    before = watch_of(basket).changed_at
    if act == "removal":
        basket.lines.get(product=other_product).delete()
    elif act == "update":
        basket.lines.filter(product=product).update(quantity=3)
    elif act == "voucher":
        from oscar.test.factories import VoucherFactory

        basket.vouchers.add(VoucherFactory())
    else:
        from oscar.test.factories import UserFactory

        get_model("basket", "Basket").objects.filter(pk=basket.pk).update(owner=UserFactory())
    clock.tick(5 * MINUTE)
    changed_at = watch_of(basket).changed_at
    assert before is not None
    assert changed_at == clock.now
    clock.tick(55 * MINUTE)
    assert lefts() == []
    clock.tick(6 * MINUTE)
    assert len(lefts()) == 1


def test_a_change_on_the_way_restarts_the_clock_and_is_no_new_episode(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    clock.tick()
    clock.tick(2 * HOUR)
    basket = shopper.basket
    started = enrollment_of(basket).clock_at
    basket.lines.update(quantity=4)
    clock.tick(HOUR)
    enrollment = enrollment_of(basket)
    assert enrollment.clock_at == clock.now > started
    clock.tick(5 * HOUR)
    assert len(lefts()) == 1
    assert Enrollment.objects.count() == 1


def test_a_basket_left_again_after_the_flow_ended_is_a_second_episode(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    clock.tick()
    clock.tick(2 * HOUR)
    basket = shopper.basket
    Enrollment.objects.update(state=EnrollmentState.ENDED, due_at=None, ended_at=clock.now)
    clock.tick(HOUR)
    assert len(lefts()) == 1, "nothing changed, so nothing is told"
    basket.lines.update(quantity=4)
    clock.tick()
    clock.tick(2 * HOUR)
    assert [told["episode"] for told in lefts()] == [1, 2]
    assert enrollment_of(basket).episode_key == f"basket:{basket.pk}:2"


def test_a_frozen_basket_without_an_order_is_left_too(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    basket = shopper.basket
    basket.freeze()  # what a payment on another site leaves behind
    clock.tick()
    clock.tick(2 * HOUR)
    [told] = lefts()
    assert told["basket_id"] == basket.pk


def test_an_open_basket_that_was_ordered_is_left_in_peace(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    basket = shopper.basket
    clock.tick()
    shopper.place_order()
    # As after a confirmation mail that could not be sent.
    get_model("basket", "Basket").objects.filter(pk=basket.pk).update(status="Open")
    clock.tick()
    assert watch_of(basket).closed_at is not None
    basket.lines.update(quantity=7, date_updated=timezone.now())
    clock.tick(2 * HOUR)
    assert [told["basket_id"] for told in lefts()] == []


def test_an_order_ends_the_way_at_once(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    basket = shopper.basket
    clock.tick()
    clock.tick(2 * HOUR)
    assert enrollment_of(basket).state == EnrollmentState.ACTIVE
    shopper.place_order()
    clock.tick()
    assert enrollment_of(basket).exit_reason == "goal"
    assert watch_of(basket).closed_at is not None


def test_an_order_of_which_no_signal_told_ends_the_way(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any, member: Any
) -> None:
    shopper.add(product)
    basket = shopper.basket
    clock.tick()
    clock.tick(2 * HOUR)
    make_order("A-1", basket=basket, user=member)
    clock.tick()
    assert enrollment_of(basket).exit_reason == "goal"


def test_an_emptied_basket_ends_the_way_and_a_refilled_one_is_a_new_episode(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    basket = shopper.basket
    clock.tick()
    clock.tick(2 * HOUR)
    basket.flush()
    clock.tick()
    assert enrollment_of(basket).exit_reason == "condition"
    assert watch_of(basket).closed_at is not None
    clock.tick(2 * HOUR)
    assert len(lefts()) == 1
    shopper.add(product)
    basket.lines.update(date_updated=clock.now)
    clock.tick()
    clock.tick(2 * HOUR)
    assert [told["episode"] for told in lefts()] == [1, 2]


def test_a_merged_basket_is_left_alone_and_its_way_is_superseded(
    flow: FlowVersion, clock: Clock, guest: Any, product: Any, member: Any
) -> None:
    guest.add(product)
    guest.start_checkout()
    old = guest.basket
    clock.tick()
    clock.tick(2 * HOUR)
    assert enrollment_of(old).state == EnrollmentState.ACTIVE
    guest.client.force_login(member, backend="oscar.apps.customer.auth_backends.EmailBackend")
    guest.client.get("/basket/")
    old.refresh_from_db()
    assert old.status == "Merged"
    guest.basket.lines.update(date_updated=clock.now)
    clock.tick()
    assert enrollment_of(old).exit_reason == "superseded"
    clock.tick(2 * HOUR)
    assert [told["basket_id"] for told in lefts()] == [old.pk, guest.basket.pk]
    assert enrollment_of(guest.basket).contact.user_id == member.pk


def test_a_shop_with_five_years_of_baskets_mails_nobody_old(
    clock: Clock, shopper: Any, product: Any
) -> None:
    from oscar.test.factories import UserFactory

    Basket, Line = get_model("basket", "Basket"), get_model("basket", "Line")  # noqa: N806 - they are classes
    record = product.stockrecords.get()
    for days in range(10, 1800, 60):
        basket = Basket.objects.create(owner=UserFactory())
        Line.objects.create(
            basket=basket, product=product, stockrecord=record, line_reference="a", quantity=1
        )
        backdate(basket, timedelta(days=days))
    shopper.add(product)
    backdate(shopper.basket, timedelta(hours=5))
    options = BasketLeftOptions()
    waiting = BasketLeft.waiting_now(options, timezone.now())
    assert waiting is not None
    assert (waiting.recent, waiting.too_old) == (1, 30)
    publish_flow(include_waiting=True)
    clock.tick()
    clock.tick(HOUR)
    assert [told["basket_id"] for told in lefts()] == [shopper.basket.pk]
    assert BasketWatch.objects.filter(fingerprint__gt="").count() == 1, "no old one is watched"


def test_a_basket_that_was_waiting_already_enters_only_if_the_flow_says_so(
    clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    backdate(shopper.basket, timedelta(hours=5))
    publish_flow(include_waiting=False)
    clock.tick()
    assert Enrollment.objects.count() == 0


def test_a_basket_too_old_is_closed_and_opened_again_by_its_shopper(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    basket = shopper.basket
    clock.tick()
    clock.tick(2 * HOUR)
    Enrollment.objects.update(state=EnrollmentState.ENDED, due_at=None, ended_at=clock.now)
    clock.tick(timedelta(days=4))
    assert watch_of(basket).closed_at is not None
    basket.lines.update(quantity=2, date_updated=clock.now)
    clock.tick()
    clock.tick(2 * HOUR)
    assert [told["episode"] for told in lefts()] == [1, 2]


def test_each_flow_is_told_at_its_own_threshold(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any
) -> None:
    publish_flow("later", idle="5h")
    shopper.add(product)
    clock.tick()
    clock.tick(2 * HOUR)
    assert [told["idle"] for told in lefts()] == [3600]
    clock.tick(4 * HOUR)
    assert [told["idle"] for told in lefts()] == [3600, 18000]
    entered = Enrollment.objects.order_by("pk").values_list("flow__key", flat=True)
    assert list(entered) == ["left-baskets", "later"]


@pytest.mark.parametrize(
    ("trigger", "enters"),
    [
        ({"minimum_value": "12.50"}, True),
        ({"minimum_value": "12.51"}, False),
        ({"audience": "members"}, True),
        ({"audience": "guests"}, False),
    ],
)
def test_a_flow_may_want_some_baskets_only(
    clock: Clock, shopper: Any, product: Any, trigger: dict[str, str], enters: bool
) -> None:
    publish_flow(**trigger)
    shopper.add(product)
    clock.tick()
    clock.tick(2 * HOUR)
    assert Enrollment.objects.exists() is enters


def test_without_a_flow_nothing_is_looked_for(clock: Clock, shopper: Any, product: Any) -> None:
    shopper.add(product)
    clock.tick()
    clock.tick(2 * HOUR)
    assert lefts() == []
    publish_flow()
    flows.pause("left-baskets", clock.now)
    clock.tick(HOUR)
    assert lefts() == []


def test_the_sweep_asks_the_same_number_of_questions_for_many_baskets(
    flow: FlowVersion, product: Any, clock: Clock
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from oscar.test.factories import UserFactory

    from oscar_triggers.models import Pulse

    Basket, Line = get_model("basket", "Basket"), get_model("basket", "Line")  # noqa: N806 - they are classes
    record = product.stockrecords.get()

    def fill(count: int) -> None:
        for _ in range(count):
            basket = Basket.objects.create(owner=UserFactory())
            Line.objects.create(
                basket=basket, product=product, stockrecord=record, line_reference="a"
            )
            backdate(basket, timedelta(hours=2))

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            baskets.BasketSweep().run(timezone.now(), Pulse(name="sweep:baskets"))
        return len(captured)

    fill(1)
    queries()  # what is looked up once in a process
    fill(1)
    few = queries()
    fill(30)
    assert queries() == few
    assert len(lefts()) == 32


def test_a_basket_reported_often_is_left_once(
    flow: FlowVersion, clock: Clock, shopper: Any, product: Any, member: Any
) -> None:
    shopper.add(product)
    for seconds in range(20):
        intake.record(
            BasketLeft(
                basket_id=shopper.basket.pk, idle=3600, value=Decimal(seconds), age=3600 + seconds
            ),
            about=about_basket(shopper.basket.pk),
            person=Person(user_id=member.pk, language=("en", "de")[seconds % 2]),
            occurred_at=clock.now - timedelta(seconds=seconds),
        )
    clock.tick()
    assert len(lefts()) == 1
    assert Enrollment.objects.count() == 1


def test_options_that_let_nobody_in_are_refused() -> None:
    from oscar_triggers.exceptions import InvalidOptions

    for wrong in (
        {"idle": "3d", "max_age": "2d"},
        {"idle": "1s"},
        {"audience": "dogs"},
        {"minimum_value": "-1"},
    ):
        with pytest.raises(InvalidOptions):
            BasketLeftOptions.from_options(wrong)
