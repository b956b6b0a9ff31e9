"""Oscar's own alerts stand back while a flow of ours tells of stock, and come back after it.

Oscar mails inside the request that saves a stock record: 1,000 people who wait cost 7,006 queries,
and a mail server that is down keeps a checkout from placing its order. Its receiver is replaced by
ours, which asks at each call whose turn it is, so that every process follows the flow's state
without a restart. Oscar's command closes alerts without looking whether they are still active:
what it read before we claimed them it would mail again. So its dispatcher stands back as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from oscar.core.loading import get_class, get_model

from . import alerts, terms

logger = logging.getLogger(__name__)

_UID = "oscar_triggers.product_alerts"
_MARK = "_oscar_triggers_stands_back"

#: Oscar's receiver, while ours stands in for it.
_oscars: list[Callable[..., Any]] = []


def connect() -> None:
    """Stand in for Oscar's receiver, where it is connected (OSCAR_EAGER_ALERTS); safe to repeat."""
    _teach_dispatcher()
    receiver = _oscars_receiver()
    if post_save.disconnect(receiver, sender=_stock_record()):
        _oscars[:] = [receiver]
        post_save.connect(stand_in, sender=_stock_record(), dispatch_uid=_UID)


def disconnect() -> None:
    """Put Oscar's receiver back."""
    if post_save.disconnect(sender=_stock_record(), dispatch_uid=_UID):
        for receiver in _oscars:
            post_save.connect(receiver, sender=_stock_record())


def is_beside_us() -> bool:
    """Say whether Oscar's own receiver is connected again beside ours."""
    lookup = (id(_oscars_receiver()), id(_stock_record()))
    return any(entry[0] == lookup for entry in post_save.receivers)


def stands_in() -> bool:
    """Say whether Oscar would mail when a stock record is saved, if we did not stand in for it."""
    return any(entry[0][0] == _UID for entry in post_save.receivers)


def stand_in(sender: Any, **kwargs: Any) -> None:
    """Let Oscar tell of stock where no flow of ours does; never raise into the shop.

    What Oscar fails at is undone: it closes its alerts before it mails, so that a mail server
    that is down would leave nobody to tell and nobody told.
    """
    if kwargs.get("raw", False):
        return
    try:
        if terms.is_ours():
            return
        with transaction.atomic(using=alerts.rows().db):
            for receiver in _oscars:
                receiver(sender=sender, **kwargs)
    except Exception as error:  # noqa: BLE001 - no stock save and no order may fail for a letter
        logger.error(
            "Oscar's alerts for stock record %s failed (%s); they stay active.",
            getattr(kwargs.get("instance"), "pk", None),
            type(error).__name__,
        )


def _teach_dispatcher() -> None:
    """Have Oscar's dispatcher, or the shop's own in its place, look whose turn it is first."""
    dispatcher: Any = get_class("customer.alerts.utils", "AlertsDispatcher")
    tell = dispatcher.send_product_alert_email_for_user
    if getattr(tell, _MARK, False):
        return

    @wraps(tell)
    def tell_unless_ours(self: Any, product: Any, *args: Any, **kwargs: Any) -> Any:
        if terms.is_ours():
            return None
        return tell(self, product, *args, **kwargs)

    setattr(tell_unless_ours, _MARK, True)
    dispatcher.send_product_alert_email_for_user = tell_unless_ours


def _oscars_receiver() -> Callable[..., Any]:
    # Importing it connects it, where the shop has not done so yet.
    from oscar.apps.customer.alerts import receivers

    receiver: Callable[..., Any] = receivers.send_product_alerts
    return receiver


def _stock_record() -> Any:
    return get_model("partner", "StockRecord")
