"""What came back of messages: reports of providers, visits by links, goals, and totals of days."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel
from .messages import Feedback


class ProviderReport(PrimaryModel):
    """One thing that a provider reported; reported again, it is the same row."""

    #: Provider and its event id, or a hash of message, kind and moment.
    dedup_key = models.CharField(max_length=120, unique=True)
    #: NULL when no message of ours could be found for it.
    dispatch = models.ForeignKey(
        "oscar_triggers.Dispatch",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="reports",
    )
    provider = models.CharField(max_length=60)
    kind = models.CharField(max_length=15, choices=Feedback.choices)
    channel = models.CharField(max_length=40)
    point_hash = models.CharField(max_length=40, blank=True)
    #: invalid, bounced, timed_out, blocked, spam, unsubscribed, other; "" when it is no refusal.
    reason = models.CharField(max_length=20, blank=True)
    #: What the provider said, without the address.
    detail = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "provider report")
        verbose_name_plural = pgettext_lazy("triggers", "provider reports")
        indexes = [
            models.Index(
                fields=["channel", "point_hash", "occurred_at"], name="triggers_report_of_point"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.kind}"


class HitClass(models.TextChoices):
    """Who followed a link, as far as one can tell."""

    HUMAN = "human", pgettext_lazy("triggers", "a person")
    MACHINE = "machine", pgettext_lazy("triggers", "a machine")
    UNKNOWN = "unknown", pgettext_lazy("triggers", "nobody can tell")


class Hit(PrimaryModel):
    """One request for one link of a message, kept as it came, with our guess beside it."""

    message = models.ForeignKey(
        "oscar_triggers.Message", on_delete=models.CASCADE, related_name="hits"
    )
    #: Position of the link in the letter, from 0; -1 for a link with an address of its own.
    link_no = models.SmallIntegerField()
    occurred_at = models.DateTimeField()
    method = models.CharField(max_length=10, default="GET")
    user_agent = models.CharField(max_length=300, blank=True)
    hit_class = models.CharField(max_length=10, choices=HitClass.choices, default=HitClass.UNKNOWN)
    #: Which signs spoke: ["too_early", "many_links"].
    signs = models.JSONField(default=list, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "visit by a link")
        verbose_name_plural = pgettext_lazy("triggers", "visits by links")
        indexes = [models.Index(fields=["message", "occurred_at"], name="triggers_hit_of_message")]

    def __str__(self) -> str:
        return f"{self.message_id}/{self.link_no} ({self.hit_class})"


class Conversion(PrimaryModel):
    """A visit, an order or another goal that followed a message's click, within its window."""

    message = models.ForeignKey(
        "oscar_triggers.Message", on_delete=models.CASCADE, related_name="conversions"
    )
    #: Kind of the event: "order_placed", …
    kind = models.CharField(max_length=80)
    about_type = models.CharField(max_length=40, blank=True)
    about_id = models.CharField(max_length=120, blank=True)
    #: What it was worth, in `currency`; NULL where it has no worth.
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    occurred_at = models.DateTimeField()
    journal_entry = models.OneToOneField(
        "oscar_triggers.JournalEntry",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="conversion",
    )

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "conversion")
        verbose_name_plural = pgettext_lazy("triggers", "conversions")
        indexes = [models.Index(fields=["kind", "occurred_at"], name="triggers_conversion_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.about_type}:{self.about_id}"


class DailyTotal(PrimaryModel):
    """How often something happened on one UTC day; stays when the rows it counted are pruned."""

    day = models.DateField()
    flow = models.ForeignKey(
        "oscar_triggers.Flow", on_delete=models.CASCADE, related_name="daily_totals"
    )
    step_key = models.CharField(max_length=80, blank=True)
    #: "a", "b" … of the last split before the message.
    variant = models.CharField(max_length=40, blank=True)
    channel = models.CharField(max_length=40, blank=True)
    #: "entered", "sent", "skipped:no_consent", "clicked", "converted:order_placed" …
    measure = models.CharField(max_length=100)
    count = models.PositiveIntegerField(default=0)
    #: Sum of worths, in `currency`.
    value = models.DecimalField(max_digits=16, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "daily total")
        verbose_name_plural = pgettext_lazy("triggers", "daily totals")
        constraints = [
            models.UniqueConstraint(
                fields=["day", "flow", "step_key", "variant", "channel", "measure", "currency"],
                name="triggers_daily_total_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.measure}"
