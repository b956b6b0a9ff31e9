"""How the engine itself stands: whose installation it is, whether it may send, what went wrong."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel

#: The only row of Installation.
INSTALLATION_ID = 1


class Installation(PrimaryModel):
    """Which installation this database belongs to, and whether anything may be sent; one row.

    The settings name the same things. Where the two differ, the database came from elsewhere
    (a production dump on staging), and nothing is sent until `triggers_adopt`.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=INSTALLATION_ID)
    environment = models.CharField(max_length=60, blank=True)
    host = models.CharField(max_length=200, blank=True)
    base_url = models.CharField(max_length=300, blank=True)
    adopted_at = models.DateTimeField(null=True, blank=True)
    #: Set while all sending is stopped.
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    stop_reason = models.CharField(max_length=200, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "installation")
        verbose_name_plural = pgettext_lazy("triggers", "installations")

    def __str__(self) -> str:
        return self.environment or self.base_url


class BreakerState(models.TextChoices):
    """Whether messages go to a provider."""

    CLOSED = "closed", pgettext_lazy("triggers", "works")
    OPEN = "open", pgettext_lazy("triggers", "is left alone")
    #: One message is tried to see whether the provider is back.
    PROBING = "probing", pgettext_lazy("triggers", "is being tried")


class Breaker(PrimaryModel):
    """Keeps messages away from a provider that is down, so that none spends its attempts."""

    #: A channel's kind.
    name = models.CharField(max_length=60, unique=True)
    state = models.CharField(
        max_length=10, choices=BreakerState.choices, default=BreakerState.CLOSED
    )
    #: Failures in a row that were the provider's.
    failures = models.PositiveIntegerField(default=0)
    #: How often in a row it opened: the pauses grow.
    openings = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    detail = models.CharField(max_length=500, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "circuit breaker")
        verbose_name_plural = pgettext_lazy("triggers", "circuit breakers")

    def __str__(self) -> str:
        return f"{self.name}: {self.get_state_display()}"


class Allowance(PrimaryModel):
    """A token bucket: how many messages may still go at this moment."""

    #: "channel:email", "domain:gmail.com".
    name = models.CharField(max_length=300, unique=True)
    tokens = models.FloatField(default=0)
    refilled_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "allowance")
        verbose_name_plural = pgettext_lazy("triggers", "allowances")

    def __str__(self) -> str:
        return self.name


class Alarm(PrimaryModel):
    """Something that staff must know; told once, told again while it lasts, cleared in the end."""

    #: "breaker:email", "blast:abandoned-basket".
    key = models.CharField(max_length=120, unique=True)
    text = models.CharField(max_length=500)
    #: What to do next.
    advice = models.CharField(max_length=500, blank=True)
    raised_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)
    #: When telling was last tried, whether or not it reached anybody.
    tried_at = models.DateTimeField(null=True, blank=True)
    cleared_at = models.DateTimeField(null=True, blank=True)
    #: When staff were told that it is over.
    end_told_at = models.DateTimeField(null=True, blank=True)
    count = models.PositiveIntegerField(default=1)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "alarm")
        verbose_name_plural = pgettext_lazy("triggers", "alarms")
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return self.text
