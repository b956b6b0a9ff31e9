"""What belongs to a contact besides its ways through flows, when two turn out to be one person."""

from __future__ import annotations

from datetime import datetime

from ..models import (
    OPEN_REQUESTS,
    Contact,
    OrderWatch,
    PriceSeen,
    ProductRequest,
    RequestState,
    SegmentMember,
    SurveyAnswer,
)


def move(winner: Contact, loser: Contact, now: datetime) -> None:
    """Move prices seen, requests, answers, orders and places on rolls to the contact that stays.

    Of two prices seen in one place the newer stays, of two answers to one question too; of two
    open requests for one thing the older one keeps its place in the line.
    """
    OrderWatch.objects.filter(contact=loser).update(contact=winner)
    _move_places(winner, loser)
    _move_prices(winner, loser)
    _move_answers(winner, loser)
    _move_requests(winner, loser, now)


def _move_places(winner: Contact, loser: Contact) -> None:
    theirs = SegmentMember.objects.filter(contact=loser)
    mine = SegmentMember.objects.filter(contact=winner)
    theirs.exclude(roll__in=list(mine.values_list("roll_id", flat=True))).update(contact=winner)
    SegmentMember.objects.filter(contact=loser).delete()


def _move_prices(winner: Contact, loser: Contact) -> None:
    mine = {(one.product_id, one.source): one for one in PriceSeen.objects.filter(contact=winner)}
    gone: list[int] = []
    for one in PriceSeen.objects.filter(contact=loser):
        twin = mine.get((one.product_id, one.source))
        if twin is not None:
            gone.append(twin.pk if twin.seen_at < one.seen_at else one.pk)
    PriceSeen.objects.filter(pk__in=gone).delete()
    PriceSeen.objects.filter(contact=loser).update(contact=winner)


def _move_answers(winner: Contact, loser: Contact) -> None:
    mine = {
        (one.survey, one.about_type, one.about_id): one
        for one in SurveyAnswer.objects.filter(contact=winner)
    }
    gone: list[int] = []
    for one in SurveyAnswer.objects.filter(contact=loser):
        twin = mine.get((one.survey, one.about_type, one.about_id))
        if twin is not None:
            gone.append(twin.pk if twin.answered_at < one.answered_at else one.pk)
    SurveyAnswer.objects.filter(pk__in=gone).delete()
    SurveyAnswer.objects.filter(contact=loser).update(contact=winner)


def _move_requests(winner: Contact, loser: Contact, now: datetime) -> None:
    still_open = ProductRequest.objects.filter(state__in=OPEN_REQUESTS).order_by("pk")
    mine = {(one.product_id, one.kind): one for one in still_open.filter(contact=winner)}
    for one in still_open.filter(contact=loser):
        twin = mine.get((one.product_id, one.kind))
        if twin is None:
            continue
        first, second = sorted((one, twin), key=lambda row: row.pk)
        # First it ends: a person has one open request for a thing.
        ProductRequest.objects.filter(pk=second.pk).update(
            state=RequestState.CANCELLED, ended_at=now, alert_id=None
        )
        confirmed = min(filter(None, (first.confirmed_at, second.confirmed_at)), default=None)
        ProductRequest.objects.filter(pk=first.pk).update(
            quantity=max(first.quantity, second.quantity),
            # One of the two was confirmed: the person did.
            state=RequestState.WAITING if confirmed else first.state,
            confirmed_at=confirmed,
            # A second alert of the shop's own is taken in, or closed, by the next sweep.
            alert_id=first.alert_id if first.alert_id is not None else second.alert_id,
        )
    ProductRequest.objects.filter(contact=loser).update(contact=winner)
