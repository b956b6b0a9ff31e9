"""The forms about people: finding them, asking why, and saying the reason of an act."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import pgettext_lazy

from oscar_triggers.conf import triggers_settings
from oscar_triggers.models import ALL_TOPICS, RUNNING, Flow, FlowState

REASON_LENGTH = 200


class FindForm(forms.Form):
    """Whom staff look for; posted, so that no address stands in a log of URLs."""

    who = forms.CharField(
        label=pgettext_lazy("triggers", "E-mail address, phone number or name"), max_length=320
    )


class WhyForm(forms.Form):
    """A flow and a person."""

    flow = forms.ModelChoiceField(
        label=pgettext_lazy("triggers", "Flow"),
        queryset=Flow.objects.order_by("name", "pk"),
        to_field_name="key",
        empty_label=None,
    )
    who = forms.CharField(
        label=pgettext_lazy("triggers", "E-mail address or phone number"), max_length=320
    )

    def __init__(self, *args: Any, known: bool = False, **kwargs: Any) -> None:
        """Leave the second field out where the person is known."""
        super().__init__(*args, **kwargs)
        if known:
            del self.fields["who"]


class ReasonForm(forms.Form):
    """Why staff do something; kept in the history."""

    reason = forms.CharField(
        label=pgettext_lazy("triggers", "Reason"),
        help_text=pgettext_lazy(
            "triggers", "It stands in the history, with your name. Write no address here."
        ),
        max_length=REASON_LENGTH,
        strip=True,
    )


class StopForm(ReasonForm):
    """How far everything is stopped."""

    block = forms.BooleanField(
        label=pgettext_lazy("triggers", "Block their addresses too"),
        help_text=pgettext_lazy(
            "triggers", "Then not even letters about their orders and requests are sent."
        ),
        required=False,
    )


class AddForm(ReasonForm):
    """Which flow somebody is let into."""

    flow = forms.ModelChoiceField(
        label=pgettext_lazy("triggers", "Flow"),
        queryset=Flow.objects.filter(state__in=(*RUNNING, FlowState.PAUSED)).order_by("name", "pk"),
        to_field_name="key",
        empty_label=None,
    )
    field_order = ["flow", "reason"]


def _topics() -> list[tuple[str, Any]]:
    return list(triggers_settings().topics.items())


class GrantForm(ReasonForm):
    """Which mailing somebody agreed to."""

    topic = forms.ChoiceField(label=pgettext_lazy("triggers", "Mailing"), choices=_topics)
    field_order = ["topic", "reason"]


class WithdrawForm(ReasonForm):
    """Which mailing somebody refuses."""

    topic = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Mailing"),
        choices=lambda: [*_topics(), (ALL_TOPICS, pgettext_lazy("triggers", "Every mailing"))],
    )
    field_order = ["topic", "reason"]
