"""Before a flow is unpublished: who is on the way in it, and what becomes of them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import npgettext
from wagtail.snippets.views.snippets import UnpublishView

from oscar_triggers.engine.enrollments import UNFINISHED
from oscar_triggers.models import Enrollment


def say_who_leaves(request: HttpRequest, instance: Any) -> None:
    """Say on the page that asks once more how many people unpublishing lets out."""
    people = Enrollment.objects.filter(flow__key=instance.key, state__in=UNFINISHED).count()
    if people:
        messages.warning(
            request,
            npgettext(
                "triggers",
                "%(count)d person is on the way in this flow. Unpublishing lets them out at once, "
                "and what they were still to get is not sent. To only hold them, pause the flow.",
                "%(count)d people are on their way in this flow. Unpublishing lets them out at "
                "once, and what they were still to get is not sent. To only hold them, pause the "
                "flow.",
                people,
            )
            % {"count": people},
        )


class FlowUnpublishView(UnpublishView):
    """Asks once more before a flow is switched off."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say who leaves, and ask."""
        say_who_leaves(request, self.object)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response
