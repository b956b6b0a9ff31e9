"""The editor's side of a flow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import pgettext_lazy
from wagtail.locks import BaseLock

from oscar_triggers.conf import PROMOTIONAL
from oscar_triggers.models import Flow, Owner, Stream

from ..diagram import preview_diagram
from ..fields import RegistryStreamField
from ..forms.flows import FlowForm
from ..locks import FileLock, UnknownKindLock
from ..outline import preview_flow
from ..permissions import TAKE_OVER_FLOW
from ..publishing import archive_flow, publish_flow
from .base import EngineDraft
from .rules import FlowRules


class FlowDraft(FlowRules, EngineDraft):
    """What an editor writes; publishing it makes an immutable version in the engine."""

    name = models.CharField(pgettext_lazy("triggers", "name"), max_length=200)
    key = models.SlugField(
        pgettext_lazy("triggers", "key"),
        max_length=80,
        unique=True,
        help_text=pgettext_lazy(
            "triggers",
            "What the engine, files and reports call it. It cannot change once published.",
        ),
    )
    trigger = RegistryStreamField(
        "events", max_num=1, verbose_name=pgettext_lazy("triggers", "what starts it")
    )
    stream = models.CharField(
        pgettext_lazy("triggers", "kind of messages"),
        max_length=20,
        choices=Stream.choices,
        default=PROMOTIONAL,
    )
    topic = models.CharField(
        pgettext_lazy("triggers", "mailing group"), max_length=60, default="offers"
    )
    entry = RegistryStreamField(
        "conditions", blank=True, verbose_name=pgettext_lazy("triggers", "only if, at the start")
    )
    stay = RegistryStreamField(
        "conditions", blank=True, verbose_name=pgettext_lazy("triggers", "only as long as")
    )
    goals = models.JSONField(pgettext_lazy("triggers", "goals"), default=list, blank=True)
    include_waiting = models.BooleanField(
        pgettext_lazy("triggers", "take in what already waits"),
        default=False,
        help_text=pgettext_lazy(
            "triggers",
            "When this flow is switched on, also start it for what happened shortly before.",
        ),
    )
    max_lateness = models.DurationField(
        pgettext_lazy("triggers", "send at most this late"),
        default=timedelta(hours=12),
        help_text=pgettext_lazy(
            "triggers", "After an outage, messages that are later than this are not sent any more."
        ),
    )
    on_doubt = models.CharField(
        pgettext_lazy("triggers", "when nobody can tell whether a message went out"),
        max_length=10,
        default="hold",
        choices=[
            ("hold", pgettext_lazy("triggers", "do not send it again")),
            ("resend", pgettext_lazy("triggers", "send it again")),
        ],
    )
    steps = RegistryStreamField(
        "steps", blank=True, verbose_name=pgettext_lazy("triggers", "steps")
    )

    base_form_class = FlowForm

    preview_modes = [
        ("outline", pgettext_lazy("triggers", "What happens")),
        ("diagram", pgettext_lazy("triggers", "Diagram")),
    ]
    default_preview_size = "mobile"

    class Meta:
        verbose_name = pgettext_lazy("triggers", "flow")
        verbose_name_plural = pgettext_lazy("triggers", "flows")
        permissions = [
            ("pause_flowdraft", "Can pause and resume flows"),
            ("take_over_flowdraft", "Can take flows over from files"),
            ("resolve_message", "Can decide about messages in doubt, and send failed ones again"),
            ("view_personal_data", "Can see who messages went to and what they said"),
            ("stop_sending", "Can stop all sending, and let it go on"),
            ("export_data", "Can take lists away as files"),
        ]

    def __str__(self) -> str:
        return self.name

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """Show what the flow does, and what publishing it now would do."""
        if mode_name == "diagram":
            return preview_diagram(request, self)
        return preview_flow(request, self)

    def get_lock(self) -> BaseLock | None:
        """Lock what a file owns, and what this installation cannot show whole."""
        if Flow.objects.filter(key=self.key, owner=Owner.FILE).exists():
            return FileLock(
                self,
                take_over_url_name="wagtail_triggers:take_over_flow",
                permission=TAKE_OVER_FLOW,
            )
        streams = (self.trigger, self.entry, self.stay, self.steps)
        unknown = [kind for one in streams for kind in getattr(one, "unknown_kinds", ())]
        if unknown:
            return UnknownKindLock(self, unknown)
        return super().get_lock()

    def hand_to_engine(self, by: Any) -> None:
        """Publish this text as a flow version."""
        publish_flow(self, by=by)

    def take_from_engine(self) -> None:
        """Switch the flow off."""
        archive_flow(self.key)
