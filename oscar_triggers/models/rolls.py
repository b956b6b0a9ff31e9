"""Rolls: who belonged to a segment when it was counted, so that lists can ask the database."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel


class SegmentRoll(PrimaryModel):
    """One count of a segment by name; readers see it once everybody was looked at."""

    #: Key of a segment, of the editor's or the shop's.
    segment = models.CharField(max_length=80)
    #: Of the conditions, and of those of segments within: what was counted is what is meant now.
    content_hash = models.CharField(max_length=40)
    #: The moment for which conditions are asked, however long the count takes.
    started_at = models.DateTimeField()
    #: People are looked at in the order of their numbers; this was the last one.
    last_contact_id = models.BigIntegerField(default=0)
    looked_at = models.PositiveIntegerField(default=0)
    people = models.PositiveIntegerField(default=0)
    #: When everybody had been looked at; NULL while it is being counted.
    counted_at = models.DateTimeField(null=True, blank=True)
    #: What keeps it from going on, "" while nothing does.
    problem = models.CharField(max_length=300, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "count of a segment")
        verbose_name_plural = pgettext_lazy("triggers", "counts of segments")
        constraints = [
            models.UniqueConstraint(
                fields=["segment"],
                name="triggers_roll_counted_once",
                condition=models.Q(counted_at=None),
            )
        ]
        indexes = [models.Index(fields=["segment", "-counted_at"], name="triggers_roll_newest")]

    def __str__(self) -> str:
        return f"{self.segment} ({self.people})"


class SegmentMember(PrimaryModel):
    """Somebody who belonged when it was counted."""

    # The constraint's index begins with it.
    roll = models.ForeignKey(
        SegmentRoll, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    contact = models.ForeignKey(
        "oscar_triggers.Contact", on_delete=models.CASCADE, related_name="+"
    )

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "person in a segment")
        verbose_name_plural = pgettext_lazy("triggers", "people in segments")
        constraints = [
            models.UniqueConstraint(fields=["roll", "contact"], name="triggers_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.roll_id}/{self.contact_id}"
