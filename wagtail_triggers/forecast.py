"""What publishing a flow now would do to what already waits (W9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import npgettext, pgettext

from oscar_triggers import events
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows
from oscar_triggers.exceptions import InvalidOptions, UnknownKind
from oscar_triggers.models import Flow, FlowState

from .compiler import Draft, to_definition
from .naming import step_names


@dataclass(frozen=True, kw_only=True)
class Place:
    """How many people stand at a step, and what the draft's choice would do with them (W4)."""

    step: str
    people: int
    fate: str
    #: Of them: held, because the engine could not go on.
    held: int = 0
    #: Whether the draft no longer has the step.
    is_lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A few sentences for the editor, and who is on the way."""

    sentences: tuple[str, ...]
    #: Whether letters would go to what waits already.
    reaches_waiting: bool = False
    places: tuple[Place, ...] = ()


def forecast(draft: Draft, now: datetime) -> Forecast:
    """Say what publishing the draft now would do."""
    running = Flow.objects.filter(key=draft.key, live_version__isnull=False).exclude(
        state=FlowState.ARCHIVED
    )
    flow = running.select_related("live_version").first()
    if flow is not None:
        return _of_running(flow, draft, now)
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


def _of_running(flow: Flow, draft: Draft, now: datetime) -> Forecast:
    runs = pgettext(
        "triggers", "This flow runs already; whoever enters from now on goes through this text."
    )
    try:
        definition = to_definition(draft)
    except (UnknownKind, InvalidOptions):
        return Forecast(sentences=(runs,))
    assert flow.live_version is not None
    preview = flows.migration_preview(flow.live_version, definition, now)
    standing = [line for line in preview.lines if line.people]
    names = step_names(definition)
    if not standing:
        return Forecast(
            sentences=(runs, pgettext("triggers", "Nobody is on the way in an older version."))
        )
    total = npgettext(
        "triggers",
        "%(count)d person is on the way in an older version:",
        "%(count)d people are on their way in older versions:",
        preview.total,
    ) % {"count": preview.total}
    return Forecast(
        sentences=(runs, total),
        places=tuple(
            Place(
                step=_step_name(flow, line.step_key, line.step_name),
                people=line.people,
                held=line.held,
                fate=replace(
                    line,
                    destination_name=names.get(line.destination, line.destination_name),
                ).what_becomes(draft.people),
                is_lost=not line.step_exists,
            )
            for line in standing
        ),
    )


def _step_name(flow: Flow, key: str, name: str) -> str:
    """Return a step by its place and label; the editor's keys are random."""
    if not key:
        return pgettext("triggers", "at the end")
    assert flow.live_version is not None
    return step_names(FlowDefinition.from_dict(flow.live_version.definition)).get(key, name)


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
