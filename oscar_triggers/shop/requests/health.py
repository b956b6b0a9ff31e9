"""What the doctor says of those who wait, and of who tells them: we, or Oscar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ...insight.findings import Finding, Level, count_of, examiner
from ...models import Flow, FlowState
from . import alerts, counting, takeover, terms
from .events import BackInStock, RequestMade


@examiner
def examine(now: datetime) -> Iterator[Finding]:
    """Say who tells people that a product is back in stock, and how many wait."""
    people = sum(counting.waiting_counts().values())
    waiting = count_of(people, "person waits", "people wait")
    if takeover.is_beside_us():
        yield Finding(
            level=Level.PROBLEM,
            text="Oscar's own alerts are connected beside ours: people may be told twice, and a "
            "mail server that is down stops orders.",
            advice="Do not connect 'send_product_alerts' after the apps are ready.",
        )
    if not terms.is_ours():
        yield from _oscars(waiting)
        return
    yield Finding(
        level=Level.OK,
        text=f"Back in stock: {_names()} tells people, and Oscar's own alerts are silent. "
        f"{waiting} for a product.",
    )
    if terms.current() is None:
        yield Finding(
            level=Level.WARNING,
            text=f"Back in stock: the flow is paused, and nobody is told. {waiting}.",
            advice="Let it go on, or switch it off: then Oscar's own alerts tell people again.",
        )
    if not Flow.objects.filter(trigger_kind=RequestMade.kind, state=FlowState.LIVE).exists():
        yield Finding(
            level=Level.WARNING,
            text="Guests cannot ask to be told by our form: no flow sends the letter of "
            "confirmation.",
            advice="Publish 'request-confirmation', or another flow on 'request_made'.",
        )


def _oscars(waiting: str) -> Iterator[Finding]:
    if not alerts.rows().filter(status=alerts.ACTIVE).exists():
        return
    if takeover.stands_in():
        yield Finding(
            level=Level.WARNING,
            text=f"Back in stock: Oscar's own alerts tell people, inside the request that saves "
            f"a stock record. {waiting} for a product.",
            advice="Publish a flow on 'back_in_stock': it tells them in waves, and saves at once.",
        )
    else:
        yield Finding(
            level=Level.OK,
            text="Back in stock: 'manage.py oscar_send_alerts' tells people, if it is run; never "
            f"of variants. {waiting} for a product.",
        )


def _names() -> str:
    names = Flow.objects.filter(
        trigger_kind=BackInStock.kind, state__in=[FlowState.LIVE, FlowState.PAUSED]
    ).values_list("name", flat=True)
    return ", ".join(f"“{name}”" for name in names)
