"""Proof of what people allowed, and the points that are never written to."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from ..exceptions import Immutable
from .base import PrimaryModel

#: In ConsentEvent.topic: every mailing group of the channel.
ALL_TOPICS = "*"


class ConsentAction(models.TextChoices):
    """What a consent event does."""

    GRANT = "grant", pgettext_lazy("triggers", "granted")
    WITHDRAW = "withdraw", pgettext_lazy("triggers", "withdrawn")


class ConsentBasis(models.TextChoices):
    """Why we may write (GDPR art. 6 and 7, ePrivacy art. 13)."""

    CONSENT = "consent", pgettext_lazy("triggers", "opted in")
    SOFT_OPT_IN = "soft_opt_in", pgettext_lazy("triggers", "bought similar goods")
    LEGITIMATE_INTEREST = "legitimate_interest", pgettext_lazy("triggers", "legitimate interest")


class ConsentEvent(PrimaryModel):
    """One line of the append-only consent ledger; the current state is derived from it."""

    contact = models.ForeignKey(
        "oscar_triggers.Contact",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="consent_events",
    )
    channel = models.CharField(max_length=40)
    point_hash = models.CharField(max_length=40)
    #: A key of OSCAR_TRIGGERS["TOPICS"], or ALL_TOPICS.
    topic = models.CharField(max_length=60)
    action = models.CharField(max_length=10, choices=ConsentAction.choices)
    basis = models.CharField(max_length=30, choices=ConsentBasis.choices)
    #: The words the person agreed to, whole.
    text = models.TextField(blank=True)
    text_version = models.CharField(max_length=60, blank=True)
    language = models.CharField(max_length=20, blank=True)
    #: "registration", "checkout", "import", "one_click", "unsubscribe_page", "admin", "sale".
    source = models.CharField(max_length=40)
    #: Path of the page or name of the file; never holds personal data.
    source_detail = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    #: When the person did it.
    occurred_at = models.DateTimeField()
    #: When the row was written.
    recorded_at = models.DateTimeField()
    #: Makes an act reported twice one row; NULL where every report counts.
    dedup_key = models.CharField(max_length=120, null=True, blank=True, unique=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "consent event")
        verbose_name_plural = pgettext_lazy("triggers", "consent events")
        indexes = [
            models.Index(
                fields=["channel", "point_hash", "occurred_at"], name="triggers_consent_lookup"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} ({self.channel}, {self.topic})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the line once; raises Immutable afterwards."""
        if not self._state.adding:
            raise Immutable("The consent ledger is append-only; record a new consent event.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse: proof of consent is kept."""
        raise Immutable("The consent ledger is append-only; record a withdrawal instead.")


class SuppressionReason(models.TextChoices):
    """Why a point is never written to."""

    BOUNCE = "bounce", pgettext_lazy("triggers", "address does not exist")
    COMPLAINT = "complaint", pgettext_lazy("triggers", "complained about a letter")
    MANUAL = "manual", pgettext_lazy("triggers", "added by staff")
    ERASURE = "erasure", pgettext_lazy("triggers", "asked to be forgotten")


class Suppression(PrimaryModel):
    """A point that is never written to, whatever its consent."""

    channel = models.CharField(max_length=40)
    point_hash = models.CharField(max_length=40)
    reason = models.CharField(max_length=20, choices=SuppressionReason.choices)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "suppression")
        verbose_name_plural = pgettext_lazy("triggers", "suppressions")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "point_hash"], name="triggers_suppression_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} ({self.channel})"
