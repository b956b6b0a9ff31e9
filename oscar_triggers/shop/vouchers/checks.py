"""What keeps a flow with vouchers from being published: categories that the shop does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import pgettext

from ...definitions import FlowDefinition
from ...engine import checking
from ...exceptions import Problem
from .goods import categories_named
from .terms import VoucherOptions


def vouchers_of(definition: FlowDefinition) -> Iterator[tuple[str, VoucherOptions]]:
    """Return what the steps of a flow promise, by their keys; what cannot be read is left out."""
    for step, *_rest in definition.walk():
        options: Any = step.options.get("voucher")
        if step.kind in ("send", "voucher") and isinstance(options, Mapping):
            try:
                yield step.key, VoucherOptions.read(options)
            except ValueError:
                continue  # The step's own check says so.


@checking.register
def categories_are_there(definition: FlowDefinition) -> list[Problem]:
    """Name the categories of vouchers that the shop does not have: one query."""
    promised = dict(vouchers_of(definition))
    wanted = {text for one in promised.values() for text in one.categories}
    known = categories_named(sorted(wanted))
    return [
        Problem(
            where=f"steps › {key}",
            message=pgettext(
                "triggers",
                "the voucher is for the category '%(category)s', which the shop does not have; "
                "choose another one",
            )
            % {"category": text},
        )
        for key, one in promised.items()
        for text in one.categories
        if not known[text]
    ]
