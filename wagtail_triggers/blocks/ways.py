"""What the ways are called on which a step leads on."""

from __future__ import annotations

from django.utils.translation import pgettext_lazy

BRANCH_LABELS = {
    "yes": pgettext_lazy("triggers", "If yes"),
    "no": pgettext_lazy("triggers", "If no"),
    "a": pgettext_lazy("triggers", "Variant A"),
    "b": pgettext_lazy("triggers", "Variant B"),
    "c": pgettext_lazy("triggers", "Variant C"),
    "d": pgettext_lazy("triggers", "Variant D"),
    "e": pgettext_lazy("triggers", "Variant E"),
    "came": pgettext_lazy("triggers", "If it came"),
    "met": pgettext_lazy("triggers", "If it became true"),
    "timed_out": pgettext_lazy("triggers", "If time ran out"),
    "granted": pgettext_lazy("triggers", "If a voucher was given"),
    "given": pgettext_lazy("triggers", "If points were given"),
    "not_given": pgettext_lazy("triggers", "If no points were given"),
    "not_granted": pgettext_lazy("triggers", "If none was given"),
}
