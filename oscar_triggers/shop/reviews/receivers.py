"""Oscar's signal of a new review: one INSERT after the commit, and nothing that can break the page."""

from __future__ import annotations

from typing import Any

from oscar.apps.catalogue.reviews.signals import review_added

from ...engine import intake
from .. import visitors
from ..receivers import Write, harmless
from .sweep import records_of


@harmless
def note_review(
    review: Any = None, user: Any = None, request: Any = None, **kwargs: Any
) -> Write | None:
    """Record that a review was written, and that it is shown where nobody has to approve it."""
    if getattr(review, "pk", None) is None:
        return None
    person = None
    if review.user_id is None or review.user_id == getattr(user, "pk", None):
        # Of whoever is at the page, language and time zone are known too.
        person = visitors.person(request, user=user, email=review.email or "")
    records = records_of(review, now=None, person=person, site_id=visitors.site_id(request))
    return lambda: intake.record_many(records)


def connect() -> None:
    """Listen to the shop; connecting twice changes nothing."""
    review_added.connect(note_review, dispatch_uid="oscar_triggers.note_review")


def disconnect() -> None:
    """Stop listening; the sweep alone finds reviews then."""
    review_added.disconnect(dispatch_uid="oscar_triggers.note_review")
