"""Contacts on their way through flows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel


class EnrollmentState(models.TextChoices):
    """Whether someone is still on the way."""

    ACTIVE = "active", pgettext_lazy("triggers", "on the way")
    #: The engine cannot go on (an unknown kind, a broken step); staff are told.
    HELD = "held", pgettext_lazy("triggers", "held")
    ENDED = "ended", pgettext_lazy("triggers", "ended")


class ExitReason(models.TextChoices):
    """Why an enrollment ended."""

    COMPLETED = "completed", pgettext_lazy("triggers", "went through")
    GOAL = "goal", pgettext_lazy("triggers", "reached the goal")
    CONDITION = "condition", pgettext_lazy("triggers", "no longer met the conditions")
    UNSUBSCRIBED = "unsubscribed", pgettext_lazy("triggers", "unsubscribed")
    SUPERSEDED = "superseded", pgettext_lazy("triggers", "replaced by a newer one")
    MOVED = "moved", pgettext_lazy("triggers", "moved to another flow")
    JOINED = "joined", pgettext_lazy("triggers", "turned out to be the same person")
    MISSED = "missed", pgettext_lazy("triggers", "came too late")
    CANCELLED = "cancelled", pgettext_lazy("triggers", "cancelled by staff")
    ERASED = "erased", pgettext_lazy("triggers", "erased")
    FAILED = "failed", pgettext_lazy("triggers", "failed")


class Enrollment(PrimaryModel):
    """One contact's way through one version, about one thing."""

    flow = models.ForeignKey(
        "oscar_triggers.Flow", on_delete=models.PROTECT, related_name="enrollments"
    )
    version = models.ForeignKey(
        "oscar_triggers.FlowVersion", on_delete=models.PROTECT, related_name="enrollments"
    )
    contact = models.ForeignKey(
        "oscar_triggers.Contact", on_delete=models.CASCADE, related_name="enrollments"
    )
    #: "basket:123:2": the second time that basket was left.
    episode_key = models.CharField(max_length=120)
    about_type = models.CharField(max_length=40, blank=True)
    about_id = models.CharField(max_length=120, blank=True)
    state = models.CharField(
        max_length=10, choices=EnrollmentState.choices, default=EnrollmentState.ACTIVE
    )
    step_key = models.CharField(max_length=80, blank=True)
    #: How often each step was come to: {"wait-1": 1}.
    passes = models.JSONField(default=dict, blank=True)
    #: When the engine looks at it next; NULL when it ended.
    due_at = models.DateTimeField(null=True, blank=True)
    #: When its waits count from: entry, the last message's outcome, or the shopper's last act.
    clock_at = models.DateTimeField()
    entered_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    exit_reason = models.CharField(max_length=20, choices=ExitReason.choices, blank=True)
    #: The starting event without personal data.
    payload = models.JSONField(default=dict, blank=True)
    watermarks = models.JSONField(default=dict, blank=True)
    site_id = models.IntegerField(null=True, blank=True)
    journal_entry = models.ForeignKey(
        "oscar_triggers.JournalEntry",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="enrollments",
    )
    lease_owner = models.CharField(max_length=40, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    #: Crashes in a row; a crash counts because it is written before the work.
    crashes = models.PositiveSmallIntegerField(default=0)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "enrollment")
        verbose_name_plural = pgettext_lazy("triggers", "enrollments")
        constraints = [
            models.UniqueConstraint(
                fields=["flow", "contact", "episode_key"], name="triggers_enrollment_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                name="triggers_enrollment_due",
                condition=models.Q(state="active"),
            ),
            models.Index(fields=["about_type", "about_id"], name="triggers_enrollment_about"),
        ]

    def __str__(self) -> str:
        return f"{self.flow_id}/{self.episode_key}"
