"""Groups of people that editors named, and letters that go to such a group once."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel


class SavedSegment(PrimaryModel):
    """A group of people by name: those for whom all conditions hold when it is asked."""

    #: By what conditions and letters know it; it never changes.
    key = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    #: [{"kind": …, option: value}], of which all must hold.
    conditions = models.JSONField(default=list)
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    #: How many belonged when they were counted last, of how many that were looked at; NULL: never.
    people = models.PositiveIntegerField(null=True, blank=True)
    looked_at = models.PositiveIntegerField(default=0)
    #: How many people were known then; more than were looked at: the count is of a part.
    known = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "segment")
        verbose_name_plural = pgettext_lazy("triggers", "segments")

    def __str__(self) -> str:
        return self.name


class LetterState(models.TextChoices):
    """How far a one-off letter is."""

    DRAFT = "draft", pgettext_lazy("triggers", "draft")
    SCHEDULED = "scheduled", pgettext_lazy("triggers", "waits for its time")
    SENDING = "sending", pgettext_lazy("triggers", "being sent")
    DONE = "done", pgettext_lazy("triggers", "done")
    CANCELLED = "cancelled", pgettext_lazy("triggers", "cancelled")
    #: The engine stood still until it was too late to begin.
    MISSED = "missed", pgettext_lazy("triggers", "too late, not sent")


class OneOffLetter(PrimaryModel):
    """A letter that goes once to everybody in a segment.

    Whether it is paused stands in its flow, which is made when the letter is confirmed.
    """

    name = models.CharField(max_length=200)
    #: Key of a segment, of the editor's or the shop's.
    segment = models.CharField(max_length=80)
    #: Key of a template.
    template = models.CharField(max_length=80)
    topic = models.CharField(max_length=60)
    #: Key of one of OSCAR_TRIGGERS["NAMED_SENDERS"]; "": the shop's usual sender.
    sender = models.CharField(max_length=60, blank=True)
    #: NULL: as soon as it is confirmed.
    send_at = models.DateTimeField(null=True, blank=True)
    #: Whether `send_at`, read in the shop's zone, means that time of each reader's own day.
    in_readers_time = models.BooleanField(default=False)
    max_lateness = models.DurationField(default=timedelta(hours=12))
    state = models.CharField(max_length=12, choices=LetterState.choices, default=LetterState.DRAFT)
    flow = models.OneToOneField(
        "oscar_triggers.Flow",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="one_off_letter",
    )
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    #: How many people whoever confirmed it was told of.
    confirmed_people = models.PositiveIntegerField(null=True, blank=True)
    #: When choosing people begins (UTC): in readers' time, when the first of them has that hour.
    start_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    #: People are chosen in the order of their numbers; this was the last one looked at.
    last_contact_id = models.BigIntegerField(default=0)
    looked_at = models.PositiveIntegerField(default=0)
    chosen = models.PositiveIntegerField(default=0)
    #: When everybody had been looked at.
    chosen_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    #: What keeps it from going on, "" while nothing does.
    problem = models.CharField(max_length=300, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "one-off letter")
        verbose_name_plural = pgettext_lazy("triggers", "one-off letters")
        permissions = [
            ("send_oneoffletter", "Can confirm, pause and cancel one-off letters"),
        ]
        indexes = [
            models.Index(
                fields=["start_at"],
                name="triggers_one_off_due",
                condition=models.Q(state__in=["scheduled", "sending"]),
            )
        ]

    def __str__(self) -> str:
        return self.name
