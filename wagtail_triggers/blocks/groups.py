"""In which group of the chooser a step or condition stands; what apps add stands at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.utils.translation import pgettext_lazy

from oscar_triggers.kinds import Kind

K = TypeVar("K", bound=type[Kind])

#: Where a kind stands that no group names, as one that an app of the shop brought.
MORE: Any = pgettext_lazy("triggers group", "More")

#: Groups in their order, with their kinds in the order in which an editor needs them.
STEPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (pgettext_lazy("triggers group", "Messages"), ("send",)),
    (
        pgettext_lazy("triggers group", "Waiting"),
        (
            "wait",
            "wait_until_date",
            "wait_until_time",
            "wait_for_weekdays",
            "wait_for_event",
            "wait_for_condition",
        ),
    ),
    (pgettext_lazy("triggers group", "Choices"), ("branch", "split", "jump", "exit")),
    (pgettext_lazy("triggers group", "Acts"), ("voucher", "give_points", "update", "notify")),
)
CONDITIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (pgettext_lazy("triggers group", "Several at once"), ("all", "any", "not")),
    (
        pgettext_lazy("triggers group", "The person"),
        ("is_customer", "speaks", "contact_field", "has_tag", "in_segment"),
    ),
    (
        pgettext_lazy("triggers group", "Orders"),
        (
            "has_ordered",
            "ordered_since_entry",
            "order_count",
            "order_total",
            "last_order",
            "bought",
            "first_order",
            "order_value",
            "order_contains",
            "order_stage",
        ),
    ),
    (
        pgettext_lazy("triggers group", "Basket"),
        ("basket_worth", "basket_lines", "basket_contains"),
    ),
    (
        pgettext_lazy("triggers group", "Product"),
        (
            "product_in_stock",
            "product_price",
            "price_dropped",
            "cheaper_than_seen",
            "cheaper_than_lately",
        ),
    ),
    (
        pgettext_lazy("triggers group", "Reviews and answers"),
        ("order_to_review", "has_reviewed", "survey_answer"),
    ),
    (
        pgettext_lazy("triggers group", "Messages"),
        ("no_reaction", "message_clicked", "visited", "message_delivered", "message_opened"),
    ),
    (pgettext_lazy("triggers group", "Time and event"), ("date_is", "event_field")),
)


def in_groups(
    found: Iterable[tuple[str, K]],
    groups: tuple[tuple[Any, tuple[str, ...]], ...],
) -> list[tuple[str, K, Any]]:
    """Return registered kinds in the order of the chooser, each with the title of its group."""
    left = dict(found)
    ordered: list[tuple[str, K, Any]] = [
        (kind, left.pop(kind), title) for title, kinds in groups for kind in kinds if kind in left
    ]
    return [*ordered, *((kind, shown, MORE) for kind, shown in left.items())]
