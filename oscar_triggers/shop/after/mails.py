"""Oscar's own letters that a live flow sends instead, by OSCAR_TRIGGERS["OSCAR_MAILS"].

Every letter of Oscar's leaves through `Dispatcher`, which a shop may have forked; whichever class
it uses, its methods are wrapped at the start, so that nothing needs to be forked for this. Letters
are let through unless a flow is known to send them: in doubt, Oscar's goes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from enum import StrEnum
from functools import wraps
from typing import Any

from django.db import connections, transaction
from django.utils import timezone
from oscar.core.loading import get_class

from ...conf import PROMOTIONAL, triggers_settings
from ...engine import faults, installation
from ...insight import findings
from ...insight.findings import Finding, Level
from ...models import Flow, FlowState, Pulse
from ...models.sql import database_for
from . import twice

logger = logging.getLogger(__name__)

_MARK = "_oscar_triggers_wrapped"
_DISPATCHES = (
    "dispatch_user_messages",
    "dispatch_anonymous_messages",
    "dispatch_direct_messages",
)


#: A server that starts anew is no reason to change who writes.
_PATIENCE = timedelta(minutes=5)


class Coded(dict[str, Any]):
    """Rendered texts of a letter that remember which letter of Oscar's they are."""

    code: str = ""


class Who(StrEnum):
    """Who sends a letter."""

    OSCAR = "oscar"
    FLOW = "flow"
    #: Oscar, because the flow that should is held up.
    STAND_IN = "stand_in"


def who_sends(code: str, now: datetime) -> Who:
    """Say who sends a letter of Oscar's now."""
    key = triggers_settings().oscar_mails.get(code)
    if not key:
        return Who.OSCAR
    alias = database_for(Flow)
    try:
        # A statement that fails inside a page's transaction must not poison it.
        inside = connections[alias].in_atomic_block
        with transaction.atomic(using=alias) if inside else nullcontext():
            live = Flow.objects.filter(key=key, state=FlowState.LIVE, live_version__isnull=False)
            if not live.exists():
                return Who.OSCAR
            hindrance = _hindrance(now)
    except Exception as error:  # noqa: BLE001 - in doubt, the customer gets Oscar's letter
        logger.error("Oscar's letter %s goes: %s", code, faults.told(error))
        return Who.OSCAR
    if hindrance:
        logger.warning("Oscar's letter %s goes: %s.", code, hindrance)
        return Who.STAND_IN
    return Who.FLOW


def _hindrance(now: datetime) -> str:
    """Say why nothing of ours would leave now, "" where it would."""
    reason = installation.hold_reason()
    if reason:
        return reason
    ticked = Pulse.objects.filter(name="tick").values_list("ran_at", flat=True).first()
    if ticked is None or now - ticked > max(_PATIENCE, triggers_settings().tick_every * 12):
        return "the clockwork stands still"
    return ""


def take_over() -> None:
    """Wrap the classes that the shop sends letters with; a second time changes nothing."""
    dispatcher = get_class("communication.utils", "Dispatcher")
    _wrap(dispatcher, "get_messages", _remembering)
    for name in _DISPATCHES:
        _wrap(dispatcher, name, _holding)
    _wrap(get_class("order.utils", "OrderDispatcher"), "dispatch_order_messages", _holding_orders)


def is_wrapped() -> bool:
    """Say whether the classes that the shop uses now are those that were wrapped."""
    wanted = [
        (get_class("communication.utils", "Dispatcher"), name)
        for name in ("get_messages", *_DISPATCHES)
    ]
    orders = get_class("order.utils", "OrderDispatcher")
    return all(
        getattr(getattr(owner, name, None), _MARK, False)
        for owner, name in (*wanted, (orders, "dispatch_order_messages"))
    )


Method = Callable[..., Any]


def _wrap(owner: type, name: str, wrapper: Callable[[Method], Method]) -> None:
    method = getattr(owner, name, None)
    if method is None or getattr(method, _MARK, False):
        return
    wrapped = wrapper(method)
    setattr(wrapped, _MARK, True)
    setattr(owner, name, wrapped)


def _remembering(method: Method) -> Method:
    """Have rendered texts remember their code: where they are sent, Oscar has forgotten it."""

    @wraps(method)
    def get_messages(self: Any, event_code: Any, *args: Any, **kwargs: Any) -> Any:
        messages = method(self, event_code, *args, **kwargs)
        if not isinstance(messages, dict):
            return messages
        coded = Coded(messages)
        coded.code = str(event_code)
        return coded

    return get_messages


def _holding(method: Method) -> Method:
    @wraps(method)
    def dispatch(self: Any, recipient: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
        code = getattr(messages, "code", "")
        if code and who_sends(code, timezone.now()) is Who.FLOW:
            # Nothing was sent, and Oscar writes down what was: an empty answer says so.
            return {}
        return method(self, recipient, messages, *args, **kwargs)

    return dispatch


def _holding_orders(method: Method) -> Method:
    """Hold back by the code that is given, also where a shop's code made the texts itself."""

    @wraps(method)
    def dispatch_order_messages(
        self: Any, order: Any, messages: Any, event_code: Any, *args: Any, **kwargs: Any
    ) -> Any:
        now = timezone.now()
        who = who_sends(str(event_code), now)
        if who is Who.FLOW:
            logger.info("Order %s: a flow sends %s.", order.number, event_code)
            return None
        answer = method(self, order, messages, event_code, *args, **kwargs)
        if who is Who.STAND_IN:
            twice.note(order, str(event_code), now)
        return answer

    return dispatch_order_messages


@findings.examiner
def examine(now: datetime) -> Iterator[Finding]:
    """Say who sends each letter that the settings give to a flow."""
    mails = triggers_settings().oscar_mails
    if mails and not is_wrapped():
        yield Finding(
            level=Level.PROBLEM,
            text="Oscar's letters are not held back: the shop replaced the class that sends them "
            "after the start. Customers get Oscar's letter and ours.",
            advice="Replace it before the apps are ready, or empty OSCAR_MAILS.",
        )
    flows = {
        flow.key: flow
        for flow in Flow.objects.filter(key__in=mails.values()).select_related("live_version")
    }
    hindrance = _hindrance(now) if mails else ""
    if hindrance:
        yield Finding(
            level=Level.WARNING,
            text=f"Oscar sends all its letters itself for now: {hindrance}.",
            advice="Flows take over again by themselves when that is over.",
        )
    for code, key in mails.items():
        yield _finding(code, key, flows.get(key))


def _finding(code: str, key: str, flow: Flow | None) -> Finding:
    if flow is None or flow.state != FlowState.LIVE or flow.live_version is None:
        state = "does not exist" if flow is None else f"is {flow.get_state_display()}"
        return Finding(
            level=Level.WARNING,
            text=f"Oscar sends its letter {code}: the flow “{key}” {state}.",
            advice="Publish or resume the flow, or take the letter out of OSCAR_MAILS.",
        )
    if flow.live_version.definition.get("stream", PROMOTIONAL) == PROMOTIONAL:
        return Finding(
            level=Level.PROBLEM,
            text=f"The flow “{flow.name}” sends {code} instead of Oscar, and is promotional: who "
            "did not opt in gets neither letter.",
            advice="Make the flow transactional.",
        )
    return Finding(
        level=Level.OK, text=f"The flow “{flow.name}” sends {code}; Oscar's letter is held back."
    )
