"""Words for the engine's codes: reasons, rules, and what a message is about."""

from __future__ import annotations

from typing import Any

from django.utils.translation import pgettext_lazy

from oscar_triggers.models import ExitReason

REASONS: dict[str, Any] = {
    **dict(ExitReason.choices),
    "staff": pgettext_lazy("triggers", "staff or a test address"),
    "no_point": pgettext_lazy("triggers", "no address is known"),
    "no_consent": pgettext_lazy("triggers", "never agreed to such messages"),
    "withdrawn": pgettext_lazy("triggers", "unsubscribed"),
    "suppressed": pgettext_lazy("triggers", "the address is blocked"),
    "condition": pgettext_lazy("triggers", "no longer met the conditions"),
    "already_in": pgettext_lazy("triggers", "was in the flow already"),
    "before_activation": pgettext_lazy("triggers", "happened before the flow was switched on"),
    "unknown_person": pgettext_lazy("triggers", "nobody knows who it was"),
    "broken_flow": pgettext_lazy("triggers", "the flow cannot be read any more"),
    "broken_condition": pgettext_lazy("triggers", "a condition could not be checked"),
    "broken_guard": pgettext_lazy("triggers", "a last check could not be made"),
    "goal": pgettext_lazy("triggers", "reached the goal"),
    "ordered": pgettext_lazy("triggers", "has ordered"),
    "order_placed": pgettext_lazy("triggers", "has ordered"),
    "too_late": pgettext_lazy("triggers", "was too late to be of use"),
    "cannot_compose": pgettext_lazy("triggers", "the letter could not be made"),
    "basket_empty": pgettext_lazy("triggers", "the basket is empty"),
    "basket_gone": pgettext_lazy("triggers", "the basket is gone"),
    "nothing_buyable": pgettext_lazy("triggers", "nothing in the basket can be bought any more"),
    "nothing_received": pgettext_lazy("triggers", "nothing of the order arrived and was kept"),
    "not_reviewable": pgettext_lazy("triggers", "nothing of it can be reviewed in the shop"),
    "all_reviewed": pgettext_lazy("triggers", "has reviewed everything already"),
    "sent_by_oscar": pgettext_lazy("triggers", "Oscar sent its own letter meanwhile"),
    "unknown_writer": pgettext_lazy("triggers", "nobody knows the address of the review"),
    "order_gone": pgettext_lazy("triggers", "the order is gone"),
    "order_cancelled": pgettext_lazy("triggers", "the order was cancelled"),
    "order_refunded": pgettext_lazy("triggers", "the order was refunded"),
    "order_settled": pgettext_lazy("triggers", "the order was paid, or is on its way"),
    "stale": pgettext_lazy("triggers", "prices or stock changed meanwhile"),
    "crashed": pgettext_lazy("triggers", "the server failed again and again"),
    "refused": pgettext_lazy("triggers", "the mail server refused it"),
    "failed": pgettext_lazy("triggers", "the mail server did not take it"),
    "unknown": pgettext_lazy("triggers", "nobody can tell whether it went out"),
    "gave_up": pgettext_lazy("triggers", "was tried again and again in vain"),
    "no_answer": pgettext_lazy("triggers", "the mail server did not answer"),
    "veto": pgettext_lazy("triggers", "an app of the shop stopped it"),
    "worker_died": pgettext_lazy("triggers", "the server stopped in the middle of it"),
    "basket_changed": pgettext_lazy("triggers", "the basket changed meanwhile"),
    "price_changed": pgettext_lazy("triggers", "a price went up meanwhile"),
    "price_back_up": pgettext_lazy("triggers", "the prices that had fallen went up again"),
    "sold_out": pgettext_lazy("triggers", "something sold out meanwhile"),
    "bought_meanwhile": pgettext_lazy("triggers", "bought it meanwhile"),
    "request_over": pgettext_lazy(
        "triggers", "no longer waits for it, or was put back in the line"
    ),
    "product_gone": pgettext_lazy("triggers", "the product is no longer in the shop"),
    "flow_switched_off": pgettext_lazy("triggers", "the flow was switched off"),
    "switched_off": pgettext_lazy("triggers", "the flow was switched off"),
    "too_old": pgettext_lazy("triggers", "was too old when we learned of it"),
    "paused": pgettext_lazy("triggers", "the flow was paused"),
    "reentry": pgettext_lazy("triggers", "was in the flow before"),
    "taken_before": pgettext_lazy("triggers", "was in the flow for this before"),
    "broken_step": pgettext_lazy("triggers", "a step is broken"),
    "quiet_hours": pgettext_lazy("triggers", "it was night where the reader lives"),
    "send_window": pgettext_lazy("triggers", "it was outside the flow's hours"),
    "never_open": pgettext_lazy("triggers", "quiet hours and the flow's hours leave no moment"),
    "frequency_cap": pgettext_lazy("triggers", "had enough messages already"),
    "priority": pgettext_lazy("triggers", "a more important flow goes first"),
    "too_late_after_limit": pgettext_lazy(
        "triggers", "when a limit would let it go, it is too late to be of use"
    ),
    "holdout": pgettext_lazy("triggers", "belongs to the share that gets no messages"),
    "incentive_limit": pgettext_lazy("triggers", "had a voucher not long ago"),
    "voucher_month_full": pgettext_lazy("triggers", "the month's vouchers were all given"),
    "voucher_budget_used": pgettext_lazy("triggers", "the month's budget for vouchers was used up"),
    "voucher_goods_gone": pgettext_lazy(
        "triggers", "the shop does not have the voucher's categories any more"
    ),
    "blast_limit": pgettext_lazy("triggers", "too many messages in the flow's first hour"),
    "shadow": pgettext_lazy("triggers", "the flow was only rehearsing"),
    "went_live": pgettext_lazy("triggers", "was rehearsed before the flow went live"),
    "only_to": pgettext_lazy("triggers", "this installation may not write to this address"),
    "no_redirect": pgettext_lazy(
        "triggers", "no address is set for redirected messages of this channel"
    ),
    "sending_off": pgettext_lazy("triggers", "sending is switched off in the settings"),
    "stopped": pgettext_lazy("triggers", "all sending is stopped"),
    "foreign_installation": pgettext_lazy(
        "triggers", "the database belongs to another installation"
    ),
    "not_arrived": pgettext_lazy("triggers", "did not arrive, as the provider or staff said"),
    "dropped": pgettext_lazy("triggers", "staff decided not to send it again"),
    "restored": pgettext_lazy("triggers", "may have been sent before the database was restored"),
    "no_enrollment": pgettext_lazy("triggers", "nobody is owed it any more"),
    "token_booked": pgettext_lazy("triggers", "waits for its turn, as the shop's rates ask"),
    "retry": pgettext_lazy("triggers", "is tried again"),
    "problem": pgettext_lazy("triggers", "something is wrong with the flow"),
}

RULES: dict[str, Any] = {
    "consent": pgettext_lazy("triggers", "Consent"),
    "entry": pgettext_lazy("triggers", "Start conditions"),
    "branch": pgettext_lazy("triggers", "Branch"),
    "lateness": pgettext_lazy("triggers", "Time"),
    "content": pgettext_lazy("triggers", "Content"),
    "basket": pgettext_lazy("triggers", "Basket"),
    "products": pgettext_lazy("triggers", "Products"),
    "request": pgettext_lazy("triggers", "Request to be told"),
    "join": pgettext_lazy("triggers", "Same person"),
    "stay": pgettext_lazy("triggers", "Conditions on the way"),
    "send": pgettext_lazy("triggers", "Sending"),
    "step": pgettext_lazy("triggers", "Step"),
    "veto": pgettext_lazy("triggers", "Veto"),
    "order_placed": pgettext_lazy("triggers", "Orders"),
    "policy": pgettext_lazy("triggers", "Rules for sending"),
    "order": pgettext_lazy("triggers", "Orders"),
    "hand_over": pgettext_lazy("triggers", "Hand-over"),
    "switched_off": pgettext_lazy("triggers", "Switched off"),
    "publish": pgettext_lazy("triggers", "Publishing"),
    "blast_guard": pgettext_lazy("triggers", "Guard against floods"),
    "after_restore": pgettext_lazy("triggers", "After a restore"),
    "shadow": pgettext_lazy("triggers", "Rehearsal"),
    "safety_catch": pgettext_lazy("triggers", "Safety catch"),
    "staff": pgettext_lazy("triggers", "Staff"),
    "provider": pgettext_lazy("triggers", "The provider"),
    "went_live": pgettext_lazy("triggers", "Going live"),
    "windows": pgettext_lazy("triggers", "Hours for sending"),
    "frequency_cap": pgettext_lazy("triggers", "Messages per person"),
    "priority": pgettext_lazy("triggers", "Priority between flows"),
    "holdout": pgettext_lazy("triggers", "Share without messages"),
    "incentive_limit": pgettext_lazy("triggers", "Vouchers per person"),
    "voucher": pgettext_lazy("triggers", "Vouchers"),
    "bundle": pgettext_lazy("triggers", "Messages told together"),
    "problem": pgettext_lazy("triggers", "Problems of the flow"),
    "review": pgettext_lazy("triggers", "Reviews"),
}

#: Types of what a message is about.
ABOUT: dict[str, Any] = {
    "basket": pgettext_lazy("triggers", "Basket %(id)s"),
    "order": pgettext_lazy("triggers", "Order %(id)s"),
    "customer": pgettext_lazy("triggers", "Customer %(id)s"),
    "product": pgettext_lazy("triggers", "Product %(id)s"),
    "product_request": pgettext_lazy("triggers", "Request %(id)s"),
    "price_drop": pgettext_lazy("triggers", "Fallen prices"),
}
