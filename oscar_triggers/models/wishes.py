"""What people asked to be told about a product, and what they answered when we asked them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel
from .contacts import random_id


class RequestKind(models.TextChoices):
    """What somebody wants to be told."""

    BACK = "back", pgettext_lazy("triggers", "when it is back in stock")
    CHEAPER = "cheaper", pgettext_lazy("triggers", "when it is cheaper")


class RequestState(models.TextChoices):
    """Where a request stands."""

    #: A guest's, until the link in the letter of confirmation is followed and the button pressed.
    UNCONFIRMED = "unconfirmed", pgettext_lazy("triggers", "not confirmed yet")
    WAITING = "waiting", pgettext_lazy("triggers", "waiting")
    #: Told in a wave; the goods are theirs to buy until `buy_until`.
    TOLD = "told", pgettext_lazy("triggers", "told")
    BOUGHT = "bought", pgettext_lazy("triggers", "bought it")
    CANCELLED = "cancelled", pgettext_lazy("triggers", "cancelled")
    EXPIRED = "expired", pgettext_lazy("triggers", "expired")


#: A person has one such request for each product and kind.
OPEN_REQUESTS = (RequestState.UNCONFIRMED.value, RequestState.WAITING.value)


class ProductRequest(PrimaryModel):
    """Somebody waits for a product: for it to come back, or to become cheaper."""

    public_id = models.CharField(max_length=32, unique=True, default=random_id)
    contact = models.ForeignKey(
        "oscar_triggers.Contact", on_delete=models.CASCADE, related_name="product_requests"
    )
    kind = models.CharField(max_length=10, choices=RequestKind.choices)
    state = models.CharField(max_length=12, choices=RequestState.choices)
    #: The variant, where it was one.
    product_id = models.BigIntegerField()
    quantity = models.PositiveIntegerField(default=1)
    #: For RequestKind.CHEAPER: told at this price or below; NULL at any that is lower than seen.
    target_price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=12, blank=True)
    #: Oscar's own ProductAlert, which this request stands for too.
    alert_id = models.BigIntegerField(null=True, blank=True)
    language = models.CharField(max_length=20, blank=True)
    site_id = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    #: Number of the wave, of this product, in which it was last told; 0 before the first.
    wave = models.PositiveIntegerField(default=0)
    #: Which product was told of: a variant of the one that was asked for, or a sibling of it.
    answer_id = models.BigIntegerField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    #: Until when the next in the line is not told for these units.
    buy_until = models.DateTimeField(null=True, blank=True)
    #: After this it is too late to tell.
    expires_at = models.DateTimeField(null=True, blank=True)
    #: When it was over; of a request that was told: when its letter was known to have left.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "request to be told")
        verbose_name_plural = pgettext_lazy("triggers", "requests to be told")
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "product_id", "kind"],
                condition=models.Q(state__in=OPEN_REQUESTS),
                name="triggers_request_once",
            ),
            models.UniqueConstraint(
                fields=["alert_id"],
                condition=models.Q(alert_id__isnull=False),
                name="triggers_request_alert",
            ),
        ]
        indexes = [
            models.Index(
                fields=["product_id", "kind", "state", "id"], name="triggers_request_product"
            ),
            models.Index(fields=["state", "expires_at"], name="triggers_request_expiry"),
            models.Index(
                fields=["answer_id", "buy_until"],
                name="triggers_request_reserved",
                condition=models.Q(state=RequestState.TOLD),
            ),
            models.Index(
                fields=["id"],
                name="triggers_request_unsettled",
                condition=models.Q(state=RequestState.TOLD, ended_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.product_id}"


class SurveyAnswer(PrimaryModel):
    """What somebody answered to a question about a thing: a delivery, an order, the shop."""

    #: Name of the survey: "delivery", "recommend".
    survey = models.CharField(max_length=60)
    contact = models.ForeignKey(
        "oscar_triggers.Contact", on_delete=models.CASCADE, related_name="survey_answers"
    )
    message = models.ForeignKey(
        "oscar_triggers.Message",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="survey_answers",
    )
    about_type = models.CharField(max_length=40, blank=True)
    about_id = models.CharField(max_length=120, blank=True)
    #: Stars from 1 to 5, or 0 to 10 where the question is how likely one would recommend us.
    score = models.PositiveSmallIntegerField()
    #: Written by the person: personal data, erased with them.
    text = models.TextField(blank=True)
    answered_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "answer to a survey")
        verbose_name_plural = pgettext_lazy("triggers", "answers to surveys")
        constraints = [
            models.UniqueConstraint(
                fields=["survey", "contact", "about_type", "about_id"],
                name="triggers_survey_once",
            )
        ]
        indexes = [models.Index(fields=["survey", "answered_at"], name="triggers_survey_date")]

    def __str__(self) -> str:
        return f"{self.survey}: {self.score}"


class OrderWatch(PrimaryModel):
    """One order as the last sweep saw it: imports, `QuerySet.update` and admins send no signal."""

    order_id = models.BigIntegerField(unique=True)
    number = models.CharField(max_length=128)
    contact = models.ForeignKey(
        "oscar_triggers.Contact",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="orders",
    )
    status = models.CharField(max_length=100, blank=True)
    #: Hash of the statuses of its lines and of the numbers of its events.
    fingerprint = models.CharField(max_length=40, blank=True)
    #: When each stage was reached: {"paid": "2026-11-22T10:00:00+00:00", "received": …}.
    stages = models.JSONField(default=dict, blank=True)
    #: What the last look saw and told: {"lines": {line id: status}, "shipping": highest id, …}.
    known = models.JSONField(default=dict, blank=True)
    placed_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    #: Set once nothing more can be said of it: the sweep looks away.
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "watched order")
        verbose_name_plural = pgettext_lazy("triggers", "watched orders")
        indexes = [
            models.Index(
                fields=["placed_at"],
                name="triggers_orders_open",
                condition=models.Q(closed_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"order {self.number}"
