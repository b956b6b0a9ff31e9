"""How often a letter's reader ordered, for letters that greet newcomers and regulars otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import pgettext_lazy

from ..content import context
from ..content.context import Provided
from ..content.tags import MergeTag, register_tags
from ..snapshots import Subject
from .purchases import purchases_of

PATH = "contact.orders_count"


@context.register
class OrderCounts(context.ContextProvider):
    """Counts the orders of readers whose letters ask; a guest's since we listen."""

    name = PATH
    only_for = PATH

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return a number for each, in five queries."""
        return [
            Provided(values={"contact": {"orders_count": len(orders)}})
            for orders in purchases_of(subjects)
        ]


register_tags(
    [
        MergeTag(
            path=PATH,
            label=pgettext_lazy("triggers", "Number of orders so far"),
            group=pgettext_lazy("triggers", "Recipient"),
            sample=2,
        )
    ]
)
