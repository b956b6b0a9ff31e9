"""Flows and templates as published: immutable versions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from ..conf import PROMOTIONAL, TRANSACTIONAL
from ..exceptions import Immutable
from .base import PrimaryModel


class Owner(models.TextChoices):
    """Who writes a flow or template; the other side is read-only until an explicit take-over."""

    FILE = "file", pgettext_lazy("triggers", "a file")
    EDITOR = "editor", pgettext_lazy("triggers", "the editor")
    #: Made when a one-off letter is confirmed, and changed by nobody.
    LETTER = "letter", pgettext_lazy("triggers", "a one-off letter")


class Stream(models.TextChoices):
    """Whether messages advertise or only inform (C5)."""

    PROMOTIONAL = PROMOTIONAL, pgettext_lazy("triggers", "promotional")
    TRANSACTIONAL = TRANSACTIONAL, pgettext_lazy("triggers", "transactional")


class FlowState(models.TextChoices):
    """Whether a flow takes people in and moves them on."""

    LIVE = "live", pgettext_lazy("triggers", "live")
    #: Decides, records and shows its letters, and sends nothing.
    SHADOW = "shadow", pgettext_lazy("triggers", "rehearsing")
    PAUSED = "paused", pgettext_lazy("triggers", "paused")
    #: Takes nobody in; those inside were let out.
    ARCHIVED = "archived", pgettext_lazy("triggers", "switched off")


#: States in which a flow takes people in and moves them on.
RUNNING = (FlowState.LIVE, FlowState.SHADOW)


class ImmutableModel(PrimaryModel):
    """A row that is history once it is written."""

    class Meta(PrimaryModel.Meta):
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row once; raises Immutable afterwards."""
        if not self._state.adding:
            raise Immutable(f"{self._meta.verbose_name} {self.pk} is published; publish a new one.")
        super().save(*args, **kwargs)


class Flow(PrimaryModel):
    """An automation, apart from its text: what it is called, and whether it runs."""

    key = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=10, choices=Owner.choices)
    state = models.CharField(max_length=10, choices=FlowState.choices, default=FlowState.LIVE)
    #: Kind of the trigger event of the live version.
    trigger_kind = models.CharField(max_length=80, db_index=True)
    live_version = models.ForeignKey(
        "oscar_triggers.FlowVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    #: Only events after this moment start it (W9).
    active_since = models.DateTimeField(null=True, blank=True)
    #: Since when the blast guard counts: publishing, resuming or a confirmation by staff.
    blast_since = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "flow")
        verbose_name_plural = pgettext_lazy("triggers", "flows")

    def __str__(self) -> str:
        return self.name


class FlowVersion(ImmutableModel):
    """One published, immutable text of a flow."""

    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    #: definitions.FlowDefinition.to_dict()
    definition = models.JSONField()
    content_hash = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "flow version")
        verbose_name_plural = pgettext_lazy("triggers", "flow versions")
        constraints = [
            models.UniqueConstraint(fields=["flow", "number"], name="triggers_flow_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.flow} ({self.number})"


class Step(ImmutableModel):
    """One node of a flow version; a tree, whose branches rejoin at the next sibling."""

    version = models.ForeignKey(FlowVersion, on_delete=models.CASCADE, related_name="steps")
    #: Stable over versions.
    key = models.CharField(max_length=80)
    kind = models.CharField(max_length=80)
    options = models.JSONField(default=dict)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )
    branch = models.CharField(max_length=40, blank=True)
    position = models.PositiveIntegerField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "step")
        verbose_name_plural = pgettext_lazy("triggers", "steps")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "key"], name="triggers_step_key_once")
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.kind})"


class Template(PrimaryModel):
    """Authored content under a key, on one channel, apart from its texts."""

    key = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    channel = models.CharField(max_length=40, default="email")
    owner = models.CharField(max_length=10, choices=Owner.choices)
    created_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "template")
        verbose_name_plural = pgettext_lazy("triggers", "templates")

    def __str__(self) -> str:
        return self.name


class TemplateVersion(ImmutableModel):
    """One compiled, immutable text of a template in one language."""

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    language = models.CharField(max_length=20)
    number = models.PositiveIntegerField()
    #: What the author wrote: {"subject": …, "preheader": …, "body": …, "text": …}.
    source = models.JSONField()
    #: content.letters.CompiledLetter.to_json(): ready to fill.
    compiled = models.JSONField()
    content_hash = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "template version")
        verbose_name_plural = pgettext_lazy("triggers", "template versions")
        constraints = [
            models.UniqueConstraint(
                fields=["template", "language", "number"], name="triggers_template_version_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.template} ({self.language}, {self.number})"
