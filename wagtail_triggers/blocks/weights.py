"""The shares of a split's variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import pgettext_lazy
from wagtail import blocks

VARIANTS = {
    "a": pgettext_lazy("triggers", "Share of A"),
    "b": pgettext_lazy("triggers", "Share of B"),
    "c": pgettext_lazy("triggers", "Share of C"),
    "d": pgettext_lazy("triggers", "Share of D"),
    "e": pgettext_lazy("triggers", "Share of E"),
}
_START = {"a": 50, "b": 50}


class WeightsBlock(blocks.StructBlock):
    """One number for each variant; an empty one is not used."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("required", None)
        children = [
            (
                name,
                blocks.IntegerBlock(
                    label=label, required=False, min_value=0, default=_START.get(name)
                ),
            )
            for name, label in VARIANTS.items()
        ]
        super().__init__(children, **kwargs)

    class Meta:
        icon = "sliders"
        form_classname = "struct-block triggers-side-by-side triggers-shares"


def weights_option(value: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the option that a block's value stands for."""
    return {
        name: int(weight)
        for name, weight in (value or {}).items()
        if weight is not None and name in VARIANTS
    }


def weights_value(option: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the block stores for an option."""
    return {name: (option or {}).get(name) for name in VARIANTS}
