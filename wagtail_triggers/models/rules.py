"""The rules of a flow beside its steps, as columns of a draft."""

from __future__ import annotations

from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import pgettext_lazy

from oscar_triggers.limits import (
    AFTER,
    DROP,
    EVERY_EPISODE,
    MOST_HOLDOUT,
    NEVER,
    ONCE_A_YEAR,
    POSTPONE,
)


class FlowRules(models.Model):
    """Who may come again, when messages may leave, and how many."""

    reentry = models.CharField(
        pgettext_lazy("triggers", "come in again"),
        max_length=20,
        default=EVERY_EPISODE,
        choices=[
            (EVERY_EPISODE, pgettext_lazy("triggers", "whenever it happens again")),
            (AFTER, pgettext_lazy("triggers", "only some time after the last time")),
            (ONCE_A_YEAR, pgettext_lazy("triggers", "once a year")),
            (NEVER, pgettext_lazy("triggers", "never")),
        ],
    )
    reentry_after = models.DurationField(
        pgettext_lazy("triggers", "how long after"), null=True, blank=True
    )
    max_age = models.DurationField(
        pgettext_lazy("triggers", "ignore what happened longer ago than"), null=True, blank=True
    )
    priority = models.SmallIntegerField(
        pgettext_lazy("triggers", "priority"),
        default=50,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=pgettext_lazy(
            "triggers",
            "0 to 100. When two flows want to write to one person, the higher number goes first.",
        ),
    )
    when_limited = models.CharField(
        pgettext_lazy("triggers", "when a limit forbids a message now"),
        max_length=10,
        default=POSTPONE,
        choices=[
            (POSTPONE, pgettext_lazy("triggers", "send it later")),
            (DROP, pgettext_lazy("triggers", "do not send it")),
        ],
    )
    window_from = models.TimeField(
        pgettext_lazy("triggers", "send from"),
        null=True,
        blank=True,
        help_text=pgettext_lazy("triggers", "In the reader's own day. Empty: at any time."),
    )
    window_until = models.TimeField(pgettext_lazy("triggers", "send until"), null=True, blank=True)
    window_days = models.JSONField(pgettext_lazy("triggers", "send on"), default=list, blank=True)
    bundle = models.DurationField(pgettext_lazy("triggers", "collect for"), null=True, blank=True)
    holdout = models.PositiveSmallIntegerField(
        pgettext_lazy("triggers", "percent without messages"),
        default=0,
        validators=[MaxValueValidator(MOST_HOLDOUT)],
        help_text=pgettext_lazy(
            "triggers",
            "These people get nothing, by chance and for good, so that you can see what the "
            "flow brings.",
        ),
    )
    blast_limit = models.PositiveIntegerField(
        pgettext_lazy("triggers", "pause after so many messages in the first hour"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=pgettext_lazy("triggers", "Empty: the shop's usual number."),
    )
    attribution_window = models.DurationField(
        pgettext_lazy("triggers", "count orders until so long after a click"),
        default=timedelta(days=5),
    )
    sender = models.CharField(
        pgettext_lazy("triggers", "sender"), max_length=60, blank=True, default=""
    )
    people = models.CharField(
        pgettext_lazy("triggers", "people on their way when this is published"),
        max_length=10,
        default="keep",
        choices=[
            ("keep", pgettext_lazy("triggers", "finish the version they began with")),
            ("move", pgettext_lazy("triggers", "go on in the new version")),
            ("stop", pgettext_lazy("triggers", "leave the flow")),
        ],
    )

    rehearse = models.BooleanField(
        pgettext_lazy("triggers", "only rehearse at first"),
        default=False,
        help_text=pgettext_lazy(
            "triggers",
            "Publishing it for the first time lets it decide and write its letters, and send "
            "nothing, until somebody presses “Go live”.",
        ),
    )

    class Meta:
        abstract = True
