"""The link back: a left basket's lines put into the basket of whoever follows it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.core.cache import cache
from django.db.models import Q
from oscar.apps.basket.signals import voucher_addition
from oscar.core.loading import get_class

from ..conf import triggers_settings
from ..content import links
from ..engine import intake
from ..models import JournalEntry, Message, VoucherGrant
from ..snapshots import Person
from . import tables, visitors
from .events import BasketRestored, about_basket

logger = logging.getLogger(__name__)

MOST_TRIES = 20
TRIES_WITHIN = timedelta(hours=1)
_DOUBLE_CLICK = timedelta(seconds=5)


class Outcome(StrEnum):
    """What came of following a link."""

    RESTORED = "restored"
    #: Older than OSCAR_TRIGGERS["RESTORE_LINK_VALID"].
    EXPIRED = "expired"
    #: The basket was ordered.
    ORDERED = "ordered"
    #: Nothing of it can be bought any more.
    NOTHING_LEFT = "nothing_left"
    #: No link of ours, or one whose message is gone.
    UNKNOWN = "unknown"
    #: Followed too often within the hour.
    TOO_OFTEN = "too_often"


def check(token: str, now: datetime) -> Outcome:
    """Say what following a link would come to, changing nothing; RESTORED when it works."""
    return _examine(token, now)[0]


def restore(request: Any, token: str, now: datetime) -> Outcome:
    """Put the lines of a message's basket into the visitor's own, at today's prices.

    Signs nobody in and tells nothing about who the message was for. Followed again, it changes
    nothing more: a line that is there with as many or more is left as it is.
    """
    outcome, message = _examine(token, now)
    if outcome is not Outcome.RESTORED or message is None:
        return outcome
    if not _may_try(message.public_id):
        return Outcome.TOO_OFTEN
    if _is_double_click(message, request):
        # The first click is at it; both at once would add everything twice.
        return Outcome.RESTORED
    source_id = int(message.about_id)
    basket = request.basket
    fresh, own = basket.pk is None, basket.pk == source_id
    present = len(basket.all_lines()) if own else _copy(_lines(source_id), basket)
    if not present or basket.pk is None:
        return Outcome.NOTHING_LEFT
    basket.reset_offer_applications()
    _apply_offers(request, basket)
    _attach_voucher(request, basket, message)
    user = request.user if request.user.is_authenticated else None
    intake.record(
        BasketRestored(
            basket_id=basket.pk,
            from_basket_id=source_id,
            message=message.public_id,
            fresh=fresh,
        ),
        about=about_basket(basket.pk),
        # Who is signed in stays who they are, whoever the link was sent to.
        person=Person(
            user_id=user.pk if user is not None else None,
            contact_id=message.contact_id if user is None else None,
            language=visitors.language(),
            time_zone=visitors.time_zone(request),
        ),
        # Dated by the journal, after the lines were: what comes later is the visitor's own act.
        site_id=visitors.site_id(request),
    )
    return Outcome.RESTORED


def _examine(token: str, now: datetime) -> tuple[Outcome, Message | None]:
    public_id = links.read_basket_token(token)
    message = (
        Message.objects.filter(public_id=public_id, about_type="basket").first()
        if public_id
        else None
    )
    if message is None or not message.about_id.isdigit():
        return Outcome.UNKNOWN, None
    if now > message.planned_at + triggers_settings().restore_link_valid:
        return Outcome.EXPIRED, message
    basket_id = int(message.about_id)
    if tables.orders().filter(basket_id__in=[basket_id, *_restored_into(message)]).exists():
        return Outcome.ORDERED, message
    if not _lines(basket_id):
        return Outcome.NOTHING_LEFT, message
    return Outcome.RESTORED, message


def _restored_into(message: Message) -> list[int]:
    """Return the baskets that the message's links were restored into before."""
    if message.contact_id is None:
        return []
    entries = JournalEntry.objects.filter(
        contact_id=message.contact_id, kind=BasketRestored.kind
    ).values_list("about_id", "payload")
    return [
        int(about_id)
        for about_id, payload in entries
        if about_id.isdigit() and str(payload.get("from_basket_id")) == message.about_id
    ]


def _lines(basket_id: int) -> list[Any]:
    return list(
        tables.basket_lines()
        .filter(basket_id=basket_id, quantity__gt=0)
        .select_related("product", "product__parent", "stockrecord")
        .prefetch_related("attributes__option")
        .order_by("pk")
    )


def _may_try(public_id: str) -> bool:
    key = f"oscar_triggers:restore:{public_id}"
    try:
        cache.add(key, 0, timeout=int(TRIES_WITHIN.total_seconds()))
        return cache.incr(key) <= MOST_TRIES
    except Exception as error:  # noqa: BLE001 - a cache that is down must not lose a sale
        logger.warning("Links back to baskets are not counted: %s.", type(error).__name__)
        return True


def _is_double_click(message: Message, request: Any) -> bool:
    """Say whether the same visitor is being served with the same link at this moment."""
    visitor = request.basket.pk or request.META.get("REMOTE_ADDR", "")
    key = f"oscar_triggers:restoring:{message.public_id}:{visitor}"
    try:
        return not cache.add(key, 1, timeout=int(_DOUBLE_CLICK.total_seconds()))
    except Exception:  # noqa: BLE001 - a cache that is down must not lose a sale
        return False


def _copy(lines: Iterable[Any], basket: Any) -> int:
    """Add what is missing of each line; return how many lines are in the basket then."""
    present = 0
    for line in lines:
        product = line.product
        options = [
            {"option": chosen.option, "value": chosen.value} for chosen in line.attributes.all()
        ]
        public = product.is_public and (product.parent is None or product.parent.is_public)
        info = basket.get_stock_info(product, options)
        if not public or info.stockrecord is None or not info.price.exists:
            continue
        if not info.availability.is_available_to_buy:
            continue
        there = _quantity_there(basket, product, info, options)
        wanted = int(line.quantity)
        available = getattr(info.availability, "num_available", None)
        if available is not None:
            wanted = min(wanted, int(available))
        missing = wanted - there
        if missing <= 0:
            present += 1
            continue
        allowed, _reason = basket.is_quantity_allowed(missing)
        if not allowed:
            continue
        try:
            basket.add_product(product, missing, options)
        except ValueError:  # another currency than the lines that are there
            continue
        present += 1
    return present


def _quantity_there(basket: Any, product: Any, info: Any, options: list[dict[str, Any]]) -> int:
    if basket.pk is None:
        return 0
    reference = basket._create_line_reference(product, info.stockrecord, options)
    line = basket.lines.filter(line_reference=reference).first()
    return int(line.quantity) if line is not None else 0


def _attach_voucher(request: Any, basket: Any, message: Message) -> None:
    """Attach the voucher that this very message promised or told of, as Oscar's own view would."""
    told = Q(message_id=message.pk) | Q(
        message=None, enrollment__message_items__message_id=message.pk
    )
    grant = (
        VoucherGrant.objects.filter(told, voucher_id__isnull=False, revoked_at=None)
        .order_by("-created_at", "-pk")
        .first()
    )
    if grant is None or not basket.can_be_edited:
        return
    voucher = tables.rows("voucher", "Voucher").filter(pk=grant.voucher_id).first()
    if voucher is None or not voucher.is_active() or basket.contains_voucher(voucher.code):
        return
    available, _reason = voucher.is_available_to_user(request.user)
    if not available:
        return
    basket.vouchers.add(voucher)
    voucher_addition.send_robust(sender=restore, basket=basket, voucher=voucher)
    basket.reset_offer_applications()
    _apply_offers(request, basket)
    if not any(one["voucher"] == voucher for one in basket.offer_applications):
        basket.vouchers.remove(voucher)
        basket.reset_offer_applications()
        _apply_offers(request, basket)


def _apply_offers(request: Any, basket: Any) -> None:
    if not basket.is_empty:
        get_class("offer.applicator", "Applicator")().apply(basket, request.user, request)
