"""What both kinds of drafts share: they are live exactly as far as the engine took them."""

from __future__ import annotations

import logging
from typing import Any

from django.db import models, transaction
from wagtail.models import (
    DraftStateMixin,
    LockableMixin,
    PreviewableMixin,
    RevisionMixin,
    WorkflowMixin,
)

from oscar_triggers.exceptions import ProblemsError

from ..publishing import SCHEDULED

logger = logging.getLogger("wagtail_triggers")


class EngineDraft(
    PreviewableMixin, WorkflowMixin, DraftStateMixin, LockableMixin, RevisionMixin, models.Model
):
    """A draft whose published text is an immutable version in the engine.

    Publishing a draft saves every column of its row, so nothing operational may stand here:
    counters and whether a flow is paused are the engine's.
    """

    live: Any

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row; it is not live before a revision of it was published.

        Who makes objects for Wagtail (wagtail-localize, a copy) may say so of one that is new.
        """
        if self.live and self.first_published_at is None:
            self.live = False
        super().save(*args, **kwargs)

    def hand_to_engine(self, by: Any) -> None:
        """Publish this text in the engine; raises ProblemsError."""
        raise NotImplementedError

    def take_from_engine(self) -> None:
        """Withdraw the text from the engine; called when the draft was unpublished."""
        raise NotImplementedError

    def publish(self, revision: Any, user: Any = None, **kwargs: Any) -> None:
        """Publish a revision here and in the engine, both or neither; raises ProblemsError.

        A revision that was scheduled and is refused when its time comes stays a draft: raising
        would keep `publish_scheduled` from every other draft.
        """
        try:
            with transaction.atomic():
                super().publish(revision, user=user, **kwargs)
                published = type(self)._default_manager.get(pk=self.pk)
                if published.live and published.live_revision_id == revision.pk:
                    published.hand_to_engine(user or revision.user)
        except ProblemsError as error:
            if kwargs.get("log_action") != SCHEDULED:
                raise
            type(revision).objects.filter(pk=revision.pk).update(approved_go_live_at=None)
            logger.error("%s was not published as scheduled: %s", self, error)
