"""What publishing a flow now would do to what already waits (W9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import npgettext, pgettext

from oscar_triggers import events
from oscar_triggers.engine import flows
from oscar_triggers.exceptions import InvalidOptions, UnknownKind
from oscar_triggers.models import Flow, FlowState

from .compiler import Draft, to_definition


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A few sentences for the editor."""

    sentences: tuple[str, ...]
    #: Whether letters would go to what waits already.
    reaches_waiting: bool = False


def forecast(draft: Draft, now: datetime) -> Forecast:
    """Say what publishing the draft now would do."""
    running = Flow.objects.filter(key=draft.key, live_version__isnull=False).exclude(
        state=FlowState.ARCHIVED
    )
    if running.exists():
        return Forecast(
            sentences=(
                pgettext("triggers", "This flow runs already; publishing changes its text only."),
                pgettext(
                    "triggers", "People on their way finish the version that they began with."
                ),
            )
        )
    try:
        definition = to_definition(draft)
        if not definition.trigger:
            return Forecast(
                sentences=(
                    pgettext("triggers", "Choose what starts the flow, and save the draft."),
                )
            )
        waiting = flows.entry_preview(definition, now)
        about = events.registry.get(definition.trigger).about_type
    except (UnknownKind, InvalidOptions):
        return Forecast(
            sentences=(
                pgettext("triggers", "Complete what starts the flow to see what waits now."),
            )
        )
    if waiting is None:
        return Forecast(
            sentences=(
                pgettext("triggers", "Only what happens after publishing starts this flow."),
            )
        )
    sentences = [_recent(about, waiting.recent)]
    if waiting.recent:
        sentences.append(_entering(draft.include_waiting))
    if waiting.too_old:
        sentences.append(_too_old(about, waiting.too_old))
    return Forecast(
        sentences=tuple(sentences),
        reaches_waiting=bool(waiting.recent and draft.include_waiting),
    )


def _recent(about: str, count: int) -> str:
    if about == "basket":
        text = npgettext(
            "triggers", "%(count)d basket waits now.", "%(count)d baskets wait now.", count
        )
    else:
        text = npgettext("triggers", "%(count)d waits now.", "%(count)d wait now.", count)
    return text % {"count": count}


def _entering(included: bool) -> str:
    if included:
        return pgettext("triggers", "They enter this flow within minutes of publishing it.")
    return pgettext("triggers", "They do not enter, because “take in what already waits” is off.")


def _too_old(about: str, count: int) -> str:
    if about == "basket":
        text = npgettext(
            "triggers",
            "%(count)d basket is too old and never gets a letter.",
            "%(count)d baskets are too old and never get a letter.",
            count,
        )
    else:
        text = npgettext(
            "triggers",
            "%(count)d is too old and never gets a letter.",
            "%(count)d are too old and never get a letter.",
            count,
        )
    return text % {"count": count}
