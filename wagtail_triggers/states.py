"""Where a flow or template stands, in one word: the engine's state and the draft's together."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import pgettext_lazy

from oscar_triggers.models import (
    Enrollment,
    EnrollmentState,
    Flow,
    FlowState,
    Message,
    MessageState,
    Owner,
)

DRAFT = "draft"
CHANGED = "changed"
LABELS: dict[str, Any] = {
    FlowState.LIVE.value: pgettext_lazy("triggers", "live"),
    CHANGED: pgettext_lazy("triggers", "live, with changes in draft"),
    FlowState.SHADOW.value: pgettext_lazy("triggers", "rehearsing"),
    FlowState.PAUSED.value: pgettext_lazy("triggers", "paused"),
    FlowState.ARCHIVED.value: pgettext_lazy("triggers", "switched off"),
    DRAFT: pgettext_lazy("triggers", "draft"),
}


def with_engine_state(drafts: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate flow drafts with the engine's state and owner, in the same query.

    Adds engine_state ("" when never published) and engine_owner.
    """
    flow = Flow.objects.filter(key=OuterRef("key"))
    annotated: QuerySet[Any] = drafts.annotate(
        engine_state=Coalesce(
            Subquery(flow.values("state")[:1]), models.Value(""), output_field=models.CharField()
        ),
        engine_owner=Coalesce(
            Subquery(flow.values("owner")[:1]), models.Value(""), output_field=models.CharField()
        ),
    )
    return annotated


def with_counts(drafts: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate a few flow drafts with all that ever was: each count reads all rows of its flow.

    Adds waiting_count (on their way), sent_count (messages) and exited_count.
    """
    annotated: QuerySet[Any] = with_engine_state(drafts).annotate(
        waiting_count=_count(Enrollment, exclude={"state": EnrollmentState.ENDED}),
        sent_count=_count(Message, state=MessageState.SENT),
        exited_count=_count(Enrollment, state=EnrollmentState.ENDED),
    )
    return annotated


def _count(
    model: type[models.Model], *, exclude: dict[str, Any] | None = None, **conditions: Any
) -> Coalesce:
    counted = (
        model._default_manager.filter(flow__key=OuterRef("key"), **conditions)
        .exclude(**(exclude or {"pk__in": []}))
        .order_by()
        .values("flow__key")
        .annotate(count=Count("pk"))
        .values("count")
    )
    return Coalesce(Subquery(counted, output_field=models.IntegerField()), 0)


def flow_state(draft: Any) -> str:
    """Return a key of LABELS for a draft that with_engine_state annotated."""
    if not draft.engine_state or (
        draft.engine_state == FlowState.LIVE and not draft.live and not in_file(draft)
    ):
        return DRAFT
    if draft.engine_state == FlowState.LIVE and draft.has_unpublished_changes and draft.live:
        return CHANGED
    return str(draft.engine_state)


def flow_state_label(draft: Any) -> Any:
    """Say where a flow stands."""
    return LABELS[flow_state(draft)]


def flow_runs(draft: Any) -> bool:
    """Say whether it takes people in."""
    return flow_state(draft) in (FlowState.LIVE, CHANGED)


def in_file(draft: Any) -> bool:
    """Say whether a file owns the flow of an annotated draft."""
    return bool(draft.engine_owner == Owner.FILE)


def template_state_label(draft: Any) -> Any:
    """Say where a template stands."""
    if not draft.live:
        return LABELS[DRAFT]
    if draft.has_unpublished_changes:
        return pgettext_lazy("triggers", "published, with changes in draft")
    return pgettext_lazy("triggers", "published")
