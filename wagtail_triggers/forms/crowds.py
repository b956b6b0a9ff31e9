"""The forms of a segment and of a one-off letter."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.forms.models import WagtailAdminModelForm
from wagtail.blocks import StreamBlockValidationError
from wagtail.blocks.base import BlockField

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import one_off, saved_segments, segments
from oscar_triggers.exceptions import TriggersError
from oscar_triggers.models import OneOffLetter, SavedSegment

from ..blocks import stream_block
from ..blocks.choices import letter_choices
from ..compiler import from_conditions, to_conditions
from ..permissions import SEND_LETTERS
from .dates import ShopMomentField
from .durations import DurationField
from .flows import topic_choices
from .rules import sender_choices


def segment_choices() -> list[tuple[str, Any]]:
    """Return every segment by key, the editors' and the setting's."""
    found = [(key, str(one.label)) for key, one in segments.known().items()]
    return sorted(found, key=lambda choice: choice[1].lower())


def _to_choose(choices: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Begin with nothing chosen: the first of a list is nobody's decision."""
    return [("", pgettext_lazy("triggers", "Choose one")), *choices]


class SegmentForm(WagtailAdminModelForm):
    """Says in words who belongs; lets nothing be saved that could not be asked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        block = stream_block("segments")
        # What is registered is known only now; an import would be too early.
        self.fields["conditions"] = BlockField(
            block=block,
            label=pgettext_lazy("triggers", "Who belongs: all of these must hold"),
            help_text=pgettext_lazy(
                "triggers",
                "It is asked anew each time, so that who comes to fit belongs from then on.",
            ),
        )
        self.initial["conditions"] = block.to_python(_raw(self.instance))
        if "key" in self.fields:
            self.fields["key"].help_text = pgettext_lazy(
                "triggers", "What the engine, files and reports call it. It cannot change later."
            )
            self.fields["key"].disabled = self.instance.pk is not None

    def clean(self) -> dict[str, Any]:
        """Refuse what no segment can ask, and what would change a letter behind its sender's back."""
        cleaned: dict[str, Any] = super().clean()
        if "conditions" not in cleaned:
            return cleaned
        try:
            asked = to_conditions(cleaned["conditions"])
            key = self.instance.key if self.instance.pk else cleaned.get("key", "")
            problems = saved_segments.problems_of(key, asked, is_new=self.instance.pk is None)
        except TriggersError as error:
            self.add_error("conditions", _stream_error([str(error)]))
            return cleaned
        of_key = [one.message for one in problems if one.where == "key" and "key" in cleaned]
        of_stream = [
            str(one) if "›" in one.where else one.message for one in problems if one.where != "key"
        ]
        if self._changes_what_runs(asked):
            of_stream.append(
                pgettext(
                    "triggers",
                    "Flows or letters that run use this segment. Only who may publish them can "
                    "change who belongs.",
                )
            )
        for text in of_key:
            self.add_error("key", ValidationError(capfirst(text)))
        if of_stream:
            self.add_error("conditions", _stream_error([capfirst(text) for text in of_stream]))
        else:
            cleaned["conditions"] = asked
        return cleaned

    def _changes_what_runs(self, asked: list[dict[str, Any]]) -> bool:
        row = self.instance
        if row.pk is None or self.for_user is None or self.for_user.has_perm(SEND_LETTERS):
            return False
        if asked == list(SavedSegment.objects.get(pk=row.pk).conditions):
            return False
        used = saved_segments.uses([row.key]).get(row.key, [])
        return any(one.kind in ("flow", "letter") for one in used)

    def save(self, commit: bool = True) -> Any:
        """Save it as the engine does: the count of before is no longer true."""
        return saved_segments.save(
            key=self.cleaned_data.get("key") or self.instance.key,
            name=self.cleaned_data["name"],
            asked=self.cleaned_data["conditions"],
            now=timezone.now(),
            by=self.for_user,
            row=self.instance,
        )


def _raw(row: SavedSegment) -> list[Any]:
    try:
        return from_conditions(row.conditions or [])
    except TriggersError:
        # An app that brought a condition is gone: the form shows what is left.
        known = [one for one in row.conditions if not saved_segments.misplaced_in([one])]
        return [raw for one in known for raw in _one(one)]


def _one(data: Any) -> list[Any]:
    try:
        return from_conditions([data])
    except TriggersError:
        return []


def _stream_error(texts: list[str]) -> StreamBlockValidationError:
    return StreamBlockValidationError(non_block_errors=[ValidationError(text) for text in texts])


class LetterForm(WagtailAdminModelForm):
    """To whom, what, and when; nothing is sent by saving it."""

    name = forms.CharField(
        label=pgettext_lazy("triggers", "Name"),
        max_length=200,
        help_text=pgettext_lazy("triggers", "For you and your colleagues; readers never see it."),
    )
    segment = forms.ChoiceField(
        label=pgettext_lazy("triggers", "To"),
        choices=lambda: _to_choose(segment_choices()),
        help_text=pgettext_lazy(
            "triggers", "Everybody in this segment at the moment when sending begins."
        ),
    )
    template = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Letter"), choices=lambda: _to_choose(letter_choices())
    )
    topic = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Mailing group"),
        choices=topic_choices,
        help_text=pgettext_lazy(
            "triggers", "What people subscribed to, and what they leave with one click."
        ),
    )
    sender = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Sender"), choices=sender_choices, required=False
    )
    send_at = ShopMomentField(label=pgettext_lazy("triggers", "When"), required=False)
    in_readers_time = forms.BooleanField(
        label=pgettext_lazy("triggers", "At that hour of each reader's own day"),
        required=False,
        help_text=pgettext_lazy(
            "triggers", "Who lives further east gets it earlier. Without it: all at once."
        ),
    )
    max_lateness = DurationField(
        label=pgettext_lazy("triggers", "Send at most this late"),
        initial=FlowDefinition.max_lateness,
        help_text=pgettext_lazy(
            "triggers",
            "After an outage or a pause, what is later than this is not sent any more.",
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["send_at"].help_text = pgettext(
            "triggers", "In the shop's time (%(zone)s). Empty: as soon as it is confirmed."
        ) % {"zone": settings.TIME_ZONE}

    def clean(self) -> dict[str, Any]:
        """Refuse readers' time without a time."""
        cleaned: dict[str, Any] = super().clean()
        if cleaned.get("in_readers_time") and not cleaned.get("send_at"):
            text = pgettext("triggers", "Say at which hour, or leave readers' time out.")
            self.add_error("send_at", text)
        if "max_lateness" in cleaned and not cleaned["max_lateness"]:
            text = pgettext("triggers", "It must be more than no time.")
            self.add_error("max_lateness", text)
        return cleaned

    def save(self, commit: bool = True) -> OneOffLetter:
        """Note when it was changed."""
        return one_off.save_draft(self.instance, timezone.now())
