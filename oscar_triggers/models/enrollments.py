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
    #: When it came to the step, or should have: waits that count from the arrival begin there.
    arrived_at = models.DateTimeField(null=True, blank=True)
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
    #: 0 transactional, 1 promotional: transactional flows move first.
    lane = models.PositiveSmallIntegerField(default=1)
    #: Entered while the flow was only rehearsing: it decides and records, and sends nothing.
    is_shadow = models.BooleanField(default=False)
    #: Kind of event that wakes its Wait early, "*" for any; "" when only time does.
    awaits = models.CharField(max_length=80, blank=True)
    #: The event that woke it; the step that waited for it sees it once.
    woken_by = models.ForeignKey(
        "oscar_triggers.JournalEntry",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    #: Keys of steps that it took in versions before this one: it does not take them again.
    skips = models.JSONField(default=list, blank=True)
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
                fields=["lane", "due_at", "id"],
                name="triggers_enrollment_lanes",
                condition=models.Q(state="active"),
            ),
            models.Index(fields=["about_type", "about_id"], name="triggers_enrollment_about"),
            models.Index(fields=["-entered_at", "-id"], name="triggers_enrollment_recent"),
            models.Index(fields=["flow", "-entered_at", "-id"], name="triggers_enrollment_of_flow"),
            models.Index(
                fields=["-entered_at", "-id"],
                name="triggers_enrollment_held",
                condition=models.Q(state="held"),
            ),
            models.Index(
                fields=["exit_reason", "-entered_at", "-id"],
                name="triggers_enrollment_exits",
                condition=~models.Q(exit_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flow_id}/{self.episode_key}"


class Assignment(PrimaryModel):
    """The arm of a split, or of a holdout, that a contact was given; it never changes."""

    flow = models.ForeignKey(
        "oscar_triggers.Flow", on_delete=models.CASCADE, related_name="assignments"
    )
    contact = models.ForeignKey(
        "oscar_triggers.Contact", on_delete=models.CASCADE, related_name="assignments"
    )
    #: Key of the Split step; "holdout" for the share kept without messages.
    name = models.CharField(max_length=80)
    arm = models.CharField(max_length=40)
    assigned_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "assignment")
        verbose_name_plural = pgettext_lazy("triggers", "assignments")
        constraints = [
            models.UniqueConstraint(
                fields=["flow", "contact", "name"], name="triggers_assignment_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.arm}"
