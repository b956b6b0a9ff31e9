"""The reader's day on which a letter is written, for those that count days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.utils.translation import pgettext_lazy

from ..content import context
from ..content.context import Provided
from ..content.tags import MergeTag, register_tags
from ..content.values import formatter
from ..snapshots import Subject

PATH = "today"


@context.register
class Today(context.ContextProvider):
    """Says the date by the reader's clock; it is kept with the message, and so stays the same."""

    name = PATH
    only_for = PATH

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return the date for each."""
        return [
            Provided(values={PATH: formatter(one.language, one.time_zone).local(now).date()})
            for one in subjects
        ]


register_tags(
    [
        MergeTag(
            path=PATH,
            label=pgettext_lazy("triggers", "Today’s date"),
            group=pgettext_lazy("triggers", "Dates"),
            sample=date(2030, 5, 14),
        )
    ]
)
