"""Telling: what one decision means, in a sentence with the values that were compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.timezone import is_aware, localtime
from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..exceptions import UnknownKind
from ..kinds import parse_duration
from ..models import ConsentBasis, ExitReason, SuppressionReason
from .words import name_of

SENT = "sent"
NOT_SENT = "not_sent"
WAITING = "waiting"
INFO = "info"

_LONGEST = 400
#: As decisions keep durations: "1d12h".
_DURATION = re.compile(r"(\d+[wdhms])+\Z")

#: Why something was not sent, by reason, after "because"; names in brackets are compared values.
REASONS: dict[str, Any] = {
    "unknown_person": pgettext_lazy("triggers", "nobody knows who it was"),
    "staff": pgettext_lazy("triggers", "they are staff or a test address"),
    "paused": pgettext_lazy("triggers", "the flow was paused since {paused_at}"),
    "before_activation": pgettext_lazy(
        "triggers", "it happened before the flow was switched on at {active_since}"
    ),
    "too_old": pgettext_lazy("triggers", "it was older than {max_age} when we learned of it"),
    "reentry": pgettext_lazy(
        "triggers", "they were in the flow before, at {entered_before_at} (its rule: {rule})"
    ),
    "already_in": pgettext_lazy("triggers", "they were in the flow for this very thing already"),
    "broken_flow": pgettext_lazy("triggers", "the flow could not be read: {error}"),
    "broken_condition": pgettext_lazy(
        "triggers", "a condition could not be checked: {condition}, {error}"
    ),
    "broken_step": pgettext_lazy("triggers", "the step “{step}” is broken: {error}"),
    "broken_guard": pgettext_lazy("triggers", "a last check could not be made: {error}"),
    "no_point": pgettext_lazy("triggers", "they cannot be reached on the channel {channel}"),
    "suppressed": pgettext_lazy("triggers", "their address is blocked: {suppression}"),
    "no_consent": pgettext_lazy(
        "triggers", "they never agreed to “{topic}” on the channel {channel}"
    ),
    "withdrawn": pgettext_lazy(
        "triggers",
        "they took their consent back at {occurred_at} (line {consent_event} of the ledger, "
        "by {source})",
    ),
    "holdout": pgettext_lazy(
        "triggers", "they belong to the {percent} percent who are kept without messages"
    ),
    "quiet_hours": pgettext_lazy(
        "triggers", "their clock ({time_zone}) showed {local_time}: quiet hours"
    ),
    "send_window": pgettext_lazy(
        "triggers", "their clock ({time_zone}) showed {local_time}, outside the flow's hours"
    ),
    "never_open": pgettext_lazy(
        "triggers", "quiet hours and the flow's hours leave no moment in their time zones"
    ),
    "frequency_cap": pgettext_lazy(
        "triggers", "they had {count} of at most {most} messages within {within}"
    ),
    "priority": pgettext_lazy(
        "triggers",
        "message {first} of a flow with priority {its_priority} goes first (this one has "
        "{priority}), and a person gets {most} within {within}",
    ),
    "incentive_limit": pgettext_lazy(
        "triggers", "they were given a voucher at {granted_at}, and get one in {every}"
    ),
    "voucher_month_full": pgettext_lazy(
        "triggers", "the step had given {given} of at most {most} vouchers in {month}"
    ),
    "voucher_budget_used": pgettext_lazy(
        "triggers",
        "the step had given away {discount} {currency} in {month}, of a budget of {budget} "
        "{currency}",
    ),
    "voucher_goods_gone": pgettext_lazy(
        "triggers", "the shop has none of the voucher's categories any more: {categories}"
    ),
    "too_late": pgettext_lazy("triggers", "it was due at {due_at} and of no use any more at {now}"),
    "missed": pgettext_lazy(
        "triggers",
        "the step “{step}” was due at {due_at}, and the flow allows a lateness of {max_lateness}",
    ),
    "condition": pgettext_lazy("triggers", "a condition did not hold any more"),
    "order_placed": pgettext_lazy("triggers", "they ordered (order {order}) at {placed_at}"),
    "basket_empty": pgettext_lazy("triggers", "the basket is empty"),
    "basket_gone": pgettext_lazy("triggers", "the basket is gone ({status})"),
    "basket_changed": pgettext_lazy("triggers", "the basket changed while it was written"),
    "price_back_up": pgettext_lazy("triggers", "the prices that had fallen went up again"),
    "price_changed": pgettext_lazy(
        "triggers", "a price changed from {written} to {now} while it was written"
    ),
    "sold_out": pgettext_lazy("triggers", "something sold out: {left} are left"),
    "bought_meanwhile": pgettext_lazy("triggers", "they bought it (order {order}) at {placed_at}"),
    "product_gone": pgettext_lazy("triggers", "the product is no longer in the shop"),
    "nothing_buyable": pgettext_lazy("triggers", "nothing in it can be bought any more"),
    "nothing_received": pgettext_lazy(
        "triggers", "nothing of order {order} arrived and was kept, as far as the shop knows"
    ),
    "not_reviewable": pgettext_lazy(
        "triggers", "nothing of order {order} can be reviewed by them in the shop"
    ),
    "all_reviewed": pgettext_lazy("triggers", "they have reviewed all of order {order} already"),
    "sent_by_oscar": pgettext_lazy(
        "triggers", "Oscar wrote about order {order} itself, while the flow was held up"
    ),
    "unknown_writer": pgettext_lazy(
        "triggers",
        "the address of review {review} is no account's, and no order of the product has it",
    ),
    "cannot_compose": pgettext_lazy("triggers", "the letter could not be made: {error}"),
    "veto": pgettext_lazy("triggers", "an app of the shop stopped it: {said}"),
    "refused": pgettext_lazy("triggers", "the provider refused it"),
    "gave_up": pgettext_lazy("triggers", "it was tried again and again in vain"),
    "no_answer": pgettext_lazy("triggers", "the provider did not answer"),
    "worker_died": pgettext_lazy("triggers", "the server stopped in the middle of it"),
    "crashed": pgettext_lazy("triggers", "the server failed again and again"),
    "blast_limit": pgettext_lazy(
        "triggers",
        "the flow was paused: {sent} messages in its first hour, and {limit} is the most",
    ),
    "shadow": pgettext_lazy("triggers", "the flow was only rehearsing"),
    "went_live": pgettext_lazy("triggers", "it was rehearsed before the flow went live"),
    "goal": pgettext_lazy("triggers", "the flow's goal was reached"),
    "unsubscribed": pgettext_lazy("triggers", "they unsubscribed"),
    "superseded": pgettext_lazy("triggers", "a newer event of the same kind took its place"),
    "joined": pgettext_lazy("triggers", "two contacts turned out to be the same person"),
    "moved": pgettext_lazy("triggers", "they went on in another flow"),
    "cancelled": pgettext_lazy("triggers", "staff cancelled it"),
    "erased": pgettext_lazy("triggers", "they asked to be forgotten"),
    "no_enrollment": pgettext_lazy("triggers", "nobody is owed it any more"),
    "taken_before": pgettext_lazy("triggers", "they took this step in the version before"),
    "only_to": pgettext_lazy("triggers", "this installation may not write to this address"),
    "no_redirect": pgettext_lazy(
        "triggers", "no address is set for redirected messages of this channel"
    ),
    "nothing_happened": pgettext_lazy(
        "triggers", "“{event}”, with which the flow begins, never happened to them"
    ),
    "switched_off": pgettext_lazy("triggers", "the flow is switched off"),
    "on_its_way": pgettext_lazy("triggers", "it is on its way already"),
    "in_doubt": pgettext_lazy(
        "triggers", "nobody can tell whether it arrived: decide about that first"
    ),
    "no_flow": pgettext_lazy("triggers", "no flow owes it: it was a test, or a confirmation"),
    "not_wanted": pgettext_lazy(
        "triggers", "they have left the flow for a reason that speaks against it"
    ),
    "not_arrived": pgettext_lazy("triggers", "it did not arrive, as the provider or staff said"),
    "dropped": pgettext_lazy("triggers", "staff decided not to send it again"),
    "restored": pgettext_lazy(
        "triggers", "the database was restored, and it may have been sent before"
    ),
}


class _Values(dict[str, str]):
    """Compared values as words; what was not compared reads as a dash."""

    def __missing__(self, key: str) -> str:
        return "–"


def why(reason: str, compared: Mapping[str, Any]) -> str:
    """Say a reason in words, to stand after "because"; a code that nobody knows as it is."""
    known = REASONS.get(reason)
    if known is None:
        known_exit = dict(ExitReason.choices).get(reason)
        words = str(known_exit) if known_exit else _condition(reason) or reason
        values = values_in_words(compared)
        return f"{words} ({values})" if values else words
    said = str(known).format_map(_Values({key: word(value) for key, value in compared.items()}))
    if reason in ("goal", "condition"):
        values = values_in_words(compared)
        return f"{said} ({values})" if values else said
    return said


def _condition(kind: str) -> str:
    """Name a condition that was not met, "" when the reason is none."""
    try:
        label = conditions.registry.get(kind).label or kind
    except UnknownKind:
        return ""
    return pgettext("triggers", "the condition “%(condition)s” did not hold") % {"condition": label}


def values_in_words(compared: Mapping[str, Any]) -> str:
    """List compared values; trees of conditions with their parts in brackets."""
    said = "; ".join(
        word(value) if _is_tree(value) else f"{name_of(key)}: {word(value)}"
        for key, value in compared.items()
        # A tree says by itself which conditions it joins.
        if value not in (None, "", [], {}) and not (key == "condition" and "of" in compared)
    )
    return Truncator(said).chars(_LONGEST)


def word(value: Any) -> str:
    """Say one value: moments by the shop's clock, lists and mappings with their parts."""
    if isinstance(value, bool):
        return pgettext("triggers", "yes") if value else pgettext("triggers", "no")
    if isinstance(value, Mapping):
        return f"[{values_in_words(value)}]"
    if _is_tree(value):
        return "; ".join(_answer(one) for one in value)
    if isinstance(value, list | tuple):
        return ", ".join(word(one) for one in value)
    if isinstance(value, timedelta):
        return length(value)
    if isinstance(value, datetime):
        return clock(value)
    text = str(value)
    if _DURATION.match(text):
        return length(parse_duration(text))
    choice = dict(SuppressionReason.choices).get(text) or dict(ConsentBasis.choices).get(text)
    if choice:
        return str(choice)
    try:
        moment = parse_datetime(text) if len(text) > len("2026-01-01") else None
    except ValueError:
        moment = None
    return clock(moment) if moment is not None else text


def _is_tree(value: Any) -> bool:
    """Say whether a value is the answers of joined conditions, [{"kind", "holds", "compared"}]."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(one, Mapping) and {"kind", "holds"} <= set(one) for one in value)
    )


def _answer(data: Mapping[str, Any]) -> str:
    kind = str(data["kind"])
    label = conditions.registry.get(kind).label if kind in conditions.registry else ""
    values = values_in_words(data.get("compared") or {})
    said = f"“{label or kind}” {word(bool(data['holds']))}"
    return f"{said} ({values})" if values else said


def clock(moment: datetime) -> str:
    """Return a moment by the shop's clock and in the reader's way of writing it."""
    local = localtime(moment) if is_aware(moment) else moment
    return date_format(local, "SHORT_DATETIME_FORMAT")


def length(duration: timedelta) -> str:
    """Return a duration in its largest two units, as "2 d 3 h"."""
    seconds = int(abs(duration.total_seconds()))
    parts = []
    for name, size in (
        (pgettext("triggers", "d"), 86_400),
        (pgettext("triggers", "h"), 3_600),
        (pgettext("triggers", "min"), 60),
        (pgettext("triggers", "s"), 1),
    ):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or f"0 {pgettext('triggers', 's')}"
