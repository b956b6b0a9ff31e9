"""What staff can do for a person, each as one entry: its words, its form, and the engine's verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import get_language, pgettext, pgettext_lazy

from oscar_triggers.engine import (
    by_staff,
    consents,
    letting_in,
    sending_again,
    suppressing,
    wording,
)
from oscar_triggers.insight.telling import why
from oscar_triggers.models import Contact, ContactPoint, Enrollment, Message, SuppressionReason

from ..forms.contacts import AddForm, GrantForm, ReasonForm, StopForm, WithdrawForm
from .ledger import channel_name, topic_name


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody wants done, to what, and what they filled in."""

    contact: Contact
    #: The row that it is about, None where it is about the person.
    target: Any
    values: Mapping[str, Any]
    by: Any
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Said:
    """What became of it."""

    done: bool
    text: str
    #: To what it was done, for the history; no address.
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing that staff can do."""

    verb: str
    label: Any
    #: What it does, before it is done.
    explains: Any
    do: Callable[[Wish], Said]
    form_class: type[ReasonForm] = ReasonForm
    #: The model of what it is about, None for the person as a whole.
    target: type[Any] | None = None
    #: Drawn as something to think about twice.
    serious: bool = False
    #: What the history says.
    past: Any


def _refused(because: str) -> Said:
    text = pgettext("triggers", "Nothing was done, because %(why)s.") % {"why": because}
    return Said(done=False, text=text)


def _channel(point: ContactPoint) -> str:
    return capfirst(channel_name(point.channel))


def _stop(wish: Wish) -> Said:
    stopped = by_staff.stop_everything(
        wish.contact.pk,
        wish.now,
        by=wish.by,
        block=wish.values["block"],
        note=wish.values["reason"],
    )
    text = pgettext(
        "triggers",
        "Everything is stopped: %(ways)s flows, %(messages)s planned messages, %(requests)s "
        "requests, %(blocked)s addresses blocked. Consent is withdrawn.",
    )
    return Said(done=True, text=text % vars(stopped))


def _block(wish: Wish) -> Said:
    point: ContactPoint = wish.target
    new = suppressing.suppress(
        [(point.channel, point.point_hash)],
        SuppressionReason.MANUAL,
        wish.now,
        note=wish.values["reason"],
    )
    if not new:
        return _refused(pgettext("triggers", "the address is blocked already"))
    text = pgettext("triggers", "Nothing is sent there any more, not even about orders.")
    return Said(done=True, text=text, about=_channel(point))


def _unblock(wish: Wish) -> Said:
    point: ContactPoint = wish.target
    if not by_staff.lift(point.channel, point.point_hash):
        return _refused(
            pgettext(
                "triggers",
                "there is no block that staff may lift: who complained about a letter, or asked "
                "to be forgotten, is never written to again",
            )
        )
    text = pgettext("triggers", "It may be written to again where consent allows it.")
    return Said(done=True, text=text, about=_channel(point))


def _withdraw(wish: Wish) -> Said:
    point: ContactPoint = wish.target
    topic = wish.values["topic"]
    if not by_staff.withdraw(point, topic=topic, now=wish.now, by=wish.by):
        return _refused(pgettext("triggers", "they had unsubscribed already"))
    text = pgettext("triggers", "It stands in the ledger, and what was on its way is stopped.")
    return Said(done=True, text=text, about=f"{_channel(point)}, {topic_name(topic)}")


def _grant(wish: Wish) -> Said:
    point: ContactPoint = wish.target
    topic = wish.values["topic"]
    # In the language in which the person reads what they agreed to.
    with translation.override(wish.contact.language or get_language()):
        words = wording.opt_in(point.channel, topic)
    if words is None:
        return _refused(pgettext("triggers", "no words to agree to are known for this mailing"))
    consents.grant(
        point,
        topic=topic,
        words=words,
        source=by_staff.SOURCE,
        now=wish.now,
        actor_id=wish.by.pk,
    )
    text = pgettext("triggers", "It stands in the ledger, with your name.")
    return Said(done=True, text=text, about=f"{_channel(point)}, {topic_name(topic)}")


def _add(wish: Wish) -> Said:
    flow = wish.values["flow"]
    entry = letting_in.let_in(wish.contact, flow, wish.now, by=wish.by)
    if entry.enrollment_id is None:
        return _refused(why(entry.reason, entry.compared))
    text = pgettext("triggers", "They are in the flow “%(flow)s” now.") % {"flow": flow.name}
    return Said(done=True, text=text, about=flow.name)


def _take_out(wish: Wish) -> Said:
    way: Enrollment = wish.target
    if not by_staff.take_out(wish.contact, way.pk, wish.now, by=wish.by):
        return _refused(pgettext("triggers", "they had left the flow already"))
    text = pgettext("triggers", "They are out of the flow “%(flow)s”.") % {"flow": way.flow.name}
    return Said(done=True, text=text, about=way.flow.name)


def _send_again(wish: Wish) -> Said:
    message: Message = wish.target
    again = sending_again.send_again(message.pk, wish.now, by=wish.by)
    if again.message_id is None:
        return _refused(why(again.reason, again.compared))
    about = f"{message.template or ''} ({message.pk} → {again.message_id})"
    if again.until is not None:
        text = pgettext(
            "triggers", "It is sent at %(moment)s or later: a limit holds it until then."
        )
        moment = date_format(localtime(again.until), "DATETIME_FORMAT")
        return Said(done=True, text=text % {"moment": moment}, about=about)
    text = pgettext("triggers", "It is sent again, unless something speaks against it by then.")
    return Said(done=True, text=text, about=about)


_ACTS = (
    Act(
        verb="stop",
        label=pgettext_lazy("triggers", "Stop everything"),
        past=pgettext_lazy("triggers", "Stopped everything"),
        explains=pgettext_lazy(
            "triggers",
            "Takes the person out of every flow, cancels every message that waits, takes their "
            "requests back, and writes down that they refuse all mailings.",
        ),
        do=_stop,
        form_class=StopForm,
        serious=True,
    ),
    Act(
        verb="add",
        label=pgettext_lazy("triggers", "Add to a flow"),
        past=pgettext_lazy("triggers", "Added to a flow"),
        explains=pgettext_lazy(
            "triggers",
            "Lets the person into a flow now. Its start conditions and its rule of coming in "
            "again are asked as always; so is consent, before anything is sent.",
        ),
        do=_add,
        form_class=AddForm,
    ),
    Act(
        verb="block",
        label=pgettext_lazy("triggers", "Block an address"),
        past=pgettext_lazy("triggers", "Blocked an address"),
        explains=pgettext_lazy(
            "triggers",
            "Nothing at all is sent there, not even about orders, until the block is lifted.",
        ),
        do=_block,
        target=ContactPoint,
        serious=True,
    ),
    Act(
        verb="unblock",
        label=pgettext_lazy("triggers", "Unblock an address"),
        past=pgettext_lazy("triggers", "Unblocked an address"),
        explains=pgettext_lazy(
            "triggers",
            "Lifts a block that staff made, or one of an address that did not exist. Consent is "
            "not given back by it.",
        ),
        do=_unblock,
        target=ContactPoint,
    ),
    Act(
        verb="withdraw",
        label=pgettext_lazy("triggers", "Withdraw consent"),
        past=pgettext_lazy("triggers", "Withdrew consent"),
        explains=pgettext_lazy(
            "triggers",
            "Writes into the ledger that the person refuses a mailing, and stops what is on its "
            "way.",
        ),
        do=_withdraw,
        form_class=WithdrawForm,
        target=ContactPoint,
    ),
    Act(
        verb="grant",
        label=pgettext_lazy("triggers", "Record consent"),
        past=pgettext_lazy("triggers", "Recorded consent"),
        explains=pgettext_lazy(
            "triggers",
            "Writes into the ledger that the person agreed to a mailing, in the words that the "
            "shop shows today, with your name. Say in the reason how they told you: you must be "
            "able to prove it.",
        ),
        do=_grant,
        form_class=GrantForm,
        target=ContactPoint,
    ),
    Act(
        verb="take-out",
        label=pgettext_lazy("triggers", "Take out of a flow"),
        past=pgettext_lazy("triggers", "Taken out of a flow"),
        explains=pgettext_lazy("triggers", "Ends this way, and cancels what it still planned."),
        do=_take_out,
        target=Enrollment,
    ),
    Act(
        verb="send-again",
        label=pgettext_lazy("triggers", "Send a message again"),
        past=pgettext_lazy("triggers", "Sent a message again"),
        explains=pgettext_lazy(
            "triggers",
            "Plans the message anew: it says what is true now, and consent, hours and limits are "
            "asked as always. A voucher in it is a new one.",
        ),
        do=_send_again,
        target=Message,
    ),
)
#: The acts by their names in URLs and in the log.
ACTS: Mapping[str, Act] = {act.verb: act for act in _ACTS}


def for_contact() -> list[Act]:
    """Return what can be done to the person as a whole."""
    return [act for act in _ACTS if act.target is None]


def target_of(act: Act, contact: Contact, number: int) -> Any:
    """Return what an act is about; None for the person. Raises DoesNotExist for another's."""
    if act.target is None:
        return None
    rows = act.target._default_manager.filter(contact=contact)
    if act.target is not ContactPoint:
        rows = rows.select_related("flow")
    return rows.get(pk=number)
