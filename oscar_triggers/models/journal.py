"""What happened in the shop, what is watched there, and the engine's own pulse."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel


class JournalEntry(PrimaryModel):
    """One recorded event, written by one INSERT and routed to flows by the next tick."""

    kind = models.CharField(max_length=80)
    dedup_key = models.CharField(max_length=200, unique=True)
    contact = models.ForeignKey(
        "oscar_triggers.Contact",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="journal",
    )
    about_type = models.CharField(max_length=40, blank=True)
    about_id = models.CharField(max_length=120, blank=True)
    #: The event's fields.
    payload = models.JSONField(default=dict, blank=True)
    #: snapshots.Person: the erasable part.
    person = models.JSONField(default=dict, blank=True)
    site_id = models.IntegerField(null=True, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    #: NULL until the engine has looked at it.
    routed_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=40, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    crashes = models.PositiveSmallIntegerField(default=0)
    #: Why it could not be routed; "" when all is well.
    error = models.CharField(max_length=500, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "journal entry")
        verbose_name_plural = pgettext_lazy("triggers", "journal entries")
        indexes = [
            models.Index(
                fields=["id"], name="triggers_journal_unrouted", condition=models.Q(routed_at=None)
            ),
            models.Index(fields=["about_type", "about_id"], name="triggers_journal_about"),
            models.Index(fields=["kind", "occurred_at"], name="triggers_journal_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about_type}:{self.about_id}"


class BasketWatch(PrimaryModel):
    """What we remember of one basket: who it belongs to and when it last changed.

    Known by number only, so that shops may fork Oscar's basket app. Written by the sweep; the
    one thing that a shop request may write is the visitor's language, time zone and site.
    """

    basket_id = models.BigIntegerField(unique=True)
    contact = models.ForeignKey(
        "oscar_triggers.Contact",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="baskets",
    )
    #: Hash of lines, quantities, vouchers and owner; "" until the sweep saw it.
    fingerprint = models.CharField(max_length=40, blank=True)
    #: When the shopper last changed it, as far as the tables tell; then: when we noticed.
    changed_at = models.DateTimeField(null=True, blank=True)
    #: 1 for the first time it is left, 2 for the second.
    episode = models.PositiveIntegerField(default=1)
    #: Thresholds in seconds for which this episode was already told: [3600].
    told = models.JSONField(default=list, blank=True)
    #: Set once it is ordered, merged or too old: the sweep looks away.
    closed_at = models.DateTimeField(null=True, blank=True)
    language = models.CharField(max_length=20, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    site_id = models.IntegerField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "watched basket")
        verbose_name_plural = pgettext_lazy("triggers", "watched baskets")
        indexes = [
            models.Index(
                fields=["changed_at"],
                name="triggers_watch_open",
                condition=models.Q(closed_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"basket {self.basket_id}"


class VoucherGrant(PrimaryModel):
    """A personal voucher promised in one message: made once, reused by retries."""

    #: NULL for the grant of a Voucher step, which all later messages may name.
    message = models.OneToOneField(
        "oscar_triggers.Message",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="voucher_grant",
    )
    enrollment = models.ForeignKey(
        "oscar_triggers.Enrollment",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="voucher_grants",
    )
    #: The Voucher step that granted it, and how often the step was come to before.
    step_key = models.CharField(max_length=80, blank=True)
    pass_no = models.PositiveIntegerField(default=0)
    contact = models.ForeignKey(
        "oscar_triggers.Contact",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="voucher_grants",
    )
    #: Oscar's voucher by number; NULL once it was revoked.
    voucher_id = models.BigIntegerField(null=True, blank=True)
    code = models.CharField(max_length=60)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["enrollment", "step_key", "pass_no"], name="triggers_step_grant_once"
            )
        ]
        indexes = [models.Index(fields=["contact", "created_at"], name="triggers_grant_recent")]
        verbose_name = pgettext_lazy("triggers", "voucher grant")
        verbose_name_plural = pgettext_lazy("triggers", "voucher grants")

    def __str__(self) -> str:
        return f"voucher grant {self.pk}"


class Pulse(PrimaryModel):
    """When a part of the engine last ran, what it did, and where it will go on."""

    #: "tick", "sweep:baskets", "sweep:orders" …
    name = models.CharField(max_length=80, unique=True)
    ran_at = models.DateTimeField(null=True, blank=True)
    #: Changes up to this moment were looked at.
    position_at = models.DateTimeField(null=True, blank=True)
    #: Ids below these were looked at: {"order": 1200}.
    watermark = models.JSONField(default=dict, blank=True)
    #: One runner at a time.
    lease_owner = models.CharField(max_length=40, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "pulse")
        verbose_name_plural = pgettext_lazy("triggers", "pulses")

    def __str__(self) -> str:
        return self.name
