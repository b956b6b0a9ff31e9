"""Personal vouchers: one for each message, for one order, for a while."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.engine import incentives
from oscar_triggers.models import Dispatch, DispatchState, Message, VoucherGrant
from oscar_triggers.shop import vouchers

from .conftest import Clock

pytestmark = pytest.mark.django_db


def grant(message: Message, percent: str = "10") -> VoucherGrant:
    return vouchers.grant_for_message(
        message.pk, percent=Decimal(percent), valid=timedelta(days=3), now=timezone.now()
    )


def all_vouchers() -> Any:
    return get_model("voucher", "Voucher").objects


@pytest.fixture
def message(shopper: Any, product: Any, make_message: Callable[..., Message]) -> Message:
    """Return a message about the shopper's basket of two mugs."""
    shopper.add(product, quantity=2)
    return make_message(shopper.basket)


def test_a_message_has_one_voucher_however_often_it_is_tried(message: Message) -> None:
    first, again = grant(message), grant(message)
    assert first.pk == again.pk
    assert first.code == again.code
    assert all_vouchers().count() == 1
    voucher = all_vouchers().get()
    assert (voucher.code, voucher.usage) == (first.code, "Single use")
    assert voucher.end_datetime == first.expires_at


@pytest.mark.django_db(transaction=True)
def test_workers_that_grant_at_once_make_one_offer_and_one_voucher_a_message(
    message: Message, make_message: Callable[..., Message], shopper: Any
) -> None:
    other = make_message(shopper.basket, key="two")

    def work(one: Message) -> str:
        try:
            return grant(one).code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(work, [message, other, message, other]))
    assert codes[:2] == codes[2:]
    assert all_vouchers().count() == 2
    assert get_model("offer", "ConditionalOffer").objects.count() == 1


def test_two_messages_share_an_offer_and_nothing_else(
    message: Message, make_message: Callable[..., Message], shopper: Any
) -> None:
    other = make_message(shopper.basket, key="two")
    assert grant(message).code != grant(other).code
    grant(make_message(shopper.basket, key="three"), percent="15")
    offers = get_model("offer", "ConditionalOffer").objects
    assert offers.count() == 2
    assert all_vouchers().count() == 3


def test_an_offer_that_was_edited_in_the_dashboard_is_not_used_again(
    message: Message, make_message: Callable[..., Message], shopper: Any
) -> None:
    grant(message)
    get_model("offer", "Benefit").objects.update(value=50)
    grant(make_message(shopper.basket, key="two"))
    values = get_model("offer", "Benefit").objects.order_by("pk").values_list("value", flat=True)
    assert list(values) == [50, 10]


def test_the_shop_takes_the_code_and_one_order_uses_it_up(
    message: Message, shopper: Any, guest: Any, product: Any, clock: Clock
) -> None:
    code = grant(message).code
    shopper.client.post(reverse("basket:vouchers-add"), {"code": code.lower()})
    assert shopper.basket.vouchers.count() == 1
    guest.add(product)
    guest.client.post(reverse("basket:vouchers-add"), {"code": code})
    other = guest.basket
    assert other.vouchers.count() == 1, "a code can be passed on"
    order = shopper.place_order()
    assert order.total_incl_tax == Decimal("22.50")
    clock.tick()
    assert other.vouchers.count() == 0, "or it could never be ordered"
    assert order.basket.vouchers.count() == 1


def test_the_voucher_of_a_message_that_never_left_is_taken_back(message: Message) -> None:
    granted = grant(message)
    incentives.revoke_all([message.pk], timezone.now())
    granted.refresh_from_db()
    assert all_vouchers().count() == 0
    assert granted.voucher_id is None
    assert granted.revoked_at is not None
    renewed = grant(message)
    assert renewed.pk == granted.pk
    assert renewed.code != granted.code
    assert all_vouchers().get().code == renewed.code


@pytest.mark.parametrize(
    "state", [DispatchState.SENDING, DispatchState.SENT, DispatchState.UNKNOWN]
)
def test_the_voucher_of_a_message_that_may_have_left_stays(message: Message, state: str) -> None:
    granted = grant(message)
    Dispatch.objects.create(message=message, channel="email", state=state, due_at=timezone.now())
    incentives.revoke_all([message.pk], timezone.now())
    assert all_vouchers().get().pk == granted.voucher_id


def test_codes_have_sixty_random_bits() -> None:
    codes = {vouchers.new_code() for _ in range(500)}
    assert len(codes) == 500
    letters = {letter for code in codes for letter in code} - {"-"}
    assert len(letters) == 32
    assert {len(code.replace("-", "")) for code in codes} == {12}


@pytest.mark.parametrize(
    "options",
    [{}, {"percent": 0}, {"percent": 101}, {"percent": "much"}, {"percent": 10, "valid": "soon"},
     {"percent": 10, "valid": "5m"}, {"percent": 10, "colour": "red"}],
)  # fmt: skip
def test_a_promise_that_cannot_be_kept_is_refused_before_publishing(
    options: dict[str, Any],
) -> None:
    assert incentives.registry.get("voucher").problems(options)


def test_a_promise_becomes_merge_values(message: Message) -> None:
    values = incentives.registry.get("voucher").grant(
        message.pk, None, {"percent": 10, "valid": "7d"}, timezone.now()
    )
    assert (values["percent"], values["amount"]) == ("10", "10%")
    assert values["code"] == VoucherGrant.objects.get().code
    assert values["expires"] == VoucherGrant.objects.get().expires_at
