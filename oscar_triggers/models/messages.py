"""What we owe people, each try at it, and why it went or did not go."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel
from .contacts import random_id
from .flows import Stream


class MessageState(models.TextChoices):
    """What became of a message."""

    PLANNED = "planned", pgettext_lazy("triggers", "waiting")
    SENT = "sent", pgettext_lazy("triggers", "sent")
    UNKNOWN = "unknown", pgettext_lazy("triggers", "handed over, no answer")
    SKIPPED = "skipped", pgettext_lazy("triggers", "decided against")
    EXPIRED = "expired", pgettext_lazy("triggers", "too late")
    CANCELLED = "cancelled", pgettext_lazy("triggers", "cancelled")
    DEAD = "dead", pgettext_lazy("triggers", "failed")
    SHADOWED = "shadowed", pgettext_lazy("triggers", "rehearsed")


class Message(PrimaryModel):
    """What we owe a contact."""

    #: Opaque and random: the only thing about a message that stands in a link.
    public_id = models.CharField(max_length=22, unique=True, default=random_id)
    #: "enrollment:7:letter-1:0"; a test letter has "test:<random>".
    idempotency_key = models.CharField(max_length=200, unique=True)
    contact = models.ForeignKey(
        "oscar_triggers.Contact",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="messages",
    )
    flow = models.ForeignKey(
        "oscar_triggers.Flow",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="messages",
    )
    step_key = models.CharField(max_length=80, blank=True)
    #: NULL for the test of a template that was never published.
    template = models.ForeignKey(
        "oscar_triggers.Template",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="messages",
    )
    #: The text that was filled; NULL until the moment of sending.
    template_version = models.ForeignKey(
        "oscar_triggers.TemplateVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="messages",
    )
    stream = models.CharField(max_length=20, choices=Stream.choices)
    topic = models.CharField(max_length=60, blank=True)
    #: Of two flows that want to write to one person at once, the higher number goes first.
    priority = models.SmallIntegerField(default=50)
    #: Planned in a rehearsal: it is never sent, whatever becomes of the flow.
    is_shadow = models.BooleanField(default=False)
    #: The arms of the splits that led here: {"split-1": "a"}.
    variants = models.JSONField(default=dict, blank=True)
    #: While it waits for more to say: what may join it; NULL for a message about one thing.
    bundle_key = models.CharField(max_length=200, null=True, blank=True, unique=True)
    about_type = models.CharField(max_length=40, blank=True)
    about_id = models.CharField(max_length=120, blank=True)
    site_id = models.IntegerField(null=True, blank=True)
    #: Options of the Send step that planned it: reply_to, voucher, …
    options = models.JSONField(default=dict, blank=True)
    state = models.CharField(
        max_length=12, choices=MessageState.choices, default=MessageState.PLANNED
    )
    #: A skip reason, exit reason or error code; "" when it was sent.
    reason = models.CharField(max_length=60, blank=True)
    planned_at = models.DateTimeField()
    due_at = models.DateTimeField()
    #: Stale messages are never sent.
    not_after = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    #: The values it was filled with: the one erasable place for what was said.
    payload = models.JSONField(null=True, blank=True)
    #: When a person first followed one of its links; machines do not count.
    clicked_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "message")
        verbose_name_plural = pgettext_lazy("triggers", "messages")
        indexes = [
            models.Index(fields=["-planned_at", "-id"], name="triggers_message_recent"),
            models.Index(fields=["flow", "state"], name="triggers_message_counts"),
            models.Index(fields=["contact", "settled_at"], name="triggers_message_of_contact"),
            # All that reports ask of messages: they need not read the rows, which are wide.
            models.Index(
                fields=["state", "settled_at", "flow", "contact", "clicked_at", "is_shadow"],
                name="triggers_message_reports",
            ),
            models.Index(fields=["flow", "-planned_at", "-id"], name="triggers_message_of_flow"),
            # Few messages are not sent, and those are looked for by state and reason.
            models.Index(
                fields=["state", "-planned_at", "-id"],
                name="triggers_message_unsent",
                condition=~models.Q(state="sent"),
            ),
            models.Index(
                fields=["reason", "-planned_at", "-id"],
                name="triggers_message_reasons",
                condition=~models.Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template or self.idempotency_key} ({self.get_state_display()})"


class MessageItem(PrimaryModel):
    """An enrollment that a message speaks for."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="items")
    enrollment = models.ForeignKey(
        "oscar_triggers.Enrollment", on_delete=models.CASCADE, related_name="message_items"
    )
    #: The coming of this enrollment to this step that the message speaks for, once.
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, unique=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "message item")
        verbose_name_plural = pgettext_lazy("triggers", "message items")
        constraints = [
            models.UniqueConstraint(
                fields=["message", "enrollment"], name="triggers_message_item_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_id}/{self.enrollment_id}"


class DispatchState(models.TextChoices):
    """What became of one try."""

    PLANNED = "planned", pgettext_lazy("triggers", "waiting")
    LEASED = "leased", pgettext_lazy("triggers", "being prepared")
    SENDING = "sending", pgettext_lazy("triggers", "being handed over")
    SENT = "sent", pgettext_lazy("triggers", "sent")
    UNKNOWN = "unknown", pgettext_lazy("triggers", "handed over, no answer")
    RETRY = "retry", pgettext_lazy("triggers", "will be tried again")
    DEAD = "dead", pgettext_lazy("triggers", "failed")
    SKIPPED = "skipped", pgettext_lazy("triggers", "decided against")
    EXPIRED = "expired", pgettext_lazy("triggers", "too late")
    CANCELLED = "cancelled", pgettext_lazy("triggers", "cancelled")
    SHADOWED = "shadowed", pgettext_lazy("triggers", "rehearsed")


class Feedback(models.TextChoices):
    """What a provider said later about a message that it took over; Anymail's words."""

    DEFERRED = "deferred", pgettext_lazy("triggers", "delayed")
    DELIVERED = "delivered", pgettext_lazy("triggers", "delivered")
    BOUNCED = "bounced", pgettext_lazy("triggers", "came back")
    REJECTED = "rejected", pgettext_lazy("triggers", "rejected by the provider")
    FAILED = "failed", pgettext_lazy("triggers", "failed at the provider")
    OPENED = "opened", pgettext_lazy("triggers", "opened (unreliable)")
    CLICKED = "clicked", pgettext_lazy("triggers", "clicked")
    UNSUBSCRIBED = "unsubscribed", pgettext_lazy("triggers", "unsubscribed")
    COMPLAINED = "complained", pgettext_lazy("triggers", "complained")


class Dispatch(PrimaryModel):
    """One channel's try at a message; never silently dropped."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="dispatches")
    #: 0 for the first channel of a cascade.
    hop = models.PositiveSmallIntegerField(default=0)
    channel = models.CharField(max_length=40)
    point = models.ForeignKey(
        "oscar_triggers.ContactPoint",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="dispatches",
    )
    point_hash = models.CharField(max_length=40, blank=True)
    state = models.CharField(
        max_length=10, choices=DispatchState.choices, default=DispatchState.PLANNED
    )
    reason = models.CharField(max_length=60, blank=True)
    #: 0 transactional, 1 promotional, 2 one-off letters: the transactional lane goes first.
    lane = models.PositiveSmallIntegerField(default=1)
    due_at = models.DateTimeField()
    lease_owner = models.CharField(max_length=40, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    #: Hand-overs that were started, written before each of them; also the fence of a lease.
    attempt = models.PositiveSmallIntegerField(default=0)
    #: Workers that died while they prepared or handed it over.
    crashes = models.PositiveSmallIntegerField(default=0)
    sending_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    provider = models.CharField(max_length=60, blank=True)
    provider_id = models.CharField(max_length=200, blank=True)
    #: What the provider said, without the address.
    detail = models.CharField(max_length=500, blank=True)
    #: The last word of the provider about it, by rank: a late "delivered" undoes no "bounced".
    feedback = models.CharField(max_length=15, choices=Feedback.choices, blank=True)
    feedback_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    #: As a provider or an image says; mailboxes fetch images by themselves: never to decide by.
    opened_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "dispatch")
        verbose_name_plural = pgettext_lazy("triggers", "dispatches")
        constraints = [
            models.UniqueConstraint(fields=["message", "hop"], name="triggers_dispatch_hop_once")
        ]
        indexes = [
            models.Index(
                fields=["lane", "due_at", "id"],
                name="triggers_dispatch_due",
                condition=models.Q(state__in=["planned", "retry"]),
            ),
            models.Index(
                fields=["leased_until"],
                name="triggers_dispatch_leases",
                condition=models.Q(state__in=["leased", "sending"]),
            ),
            models.Index(
                fields=["state", "settled_at"],
                name="triggers_dispatch_doubts",
                condition=models.Q(state__in=["dead", "unknown"]),
            ),
            models.Index(
                fields=["provider_id"],
                name="triggers_dispatch_provider",
                condition=~models.Q(provider_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.pk} ({self.get_state_display()})"


class Decision(PrimaryModel):
    """One explained verdict; repeated verdicts move the count, a changed one is a new row."""

    enrollment = models.ForeignKey(
        "oscar_triggers.Enrollment",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="decisions",
    )
    message = models.ForeignKey(
        Message, null=True, blank=True, on_delete=models.CASCADE, related_name="decisions"
    )
    journal_entry = models.ForeignKey(
        "oscar_triggers.JournalEntry",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="decisions",
    )
    flow = models.ForeignKey(
        "oscar_triggers.Flow",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="decisions",
    )
    #: Which rule spoke: "consent", "order_placed", "entry", "branch" …
    rule = models.CharField(max_length=60)
    #: "entered", "not_entered", "allowed", "skip", "postpone", "sent", "exit" …
    verdict = models.CharField(max_length=30)
    reason = models.CharField(max_length=60, blank=True)
    #: The values that were compared; ids and amounts, never addresses.
    compared = models.JSONField(default=dict, blank=True)
    count = models.PositiveIntegerField(default=1)
    decided_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "decision")
        verbose_name_plural = pgettext_lazy("triggers", "decisions")
        ordering = ["decided_at", "id"]
        indexes = [
            # Few of the many decisions of a flow, and told to everybody who asks about it.
            models.Index(
                fields=["flow"],
                name="triggers_decision_blasts",
                condition=models.Q(rule="blast_guard"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.verdict} {self.reason}".strip()
