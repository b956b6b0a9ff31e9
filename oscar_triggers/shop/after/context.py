"""What letters about an order say: its lines, where it stands, and where to go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import translation

from ...conf import site_settings
from ...content import context
from ...content.context import Provided
from ...content.values import Money, formatter
from ...snapshots import Subject
from .. import pictures, tables
from ..products.said import Telling
from . import care, links, pickup, reading, stages
from .guards import ORDER_GONE, refused_by
from .reading import Line, Seen


@context.register
class OrderContext(context.ContextProvider):
    """An order as it stands now; the same queries for any number of letters."""

    name = "order"
    about_types = frozenset({"order"})

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say to each subject about the order of its flow."""
        numbers = {subject.about.id for subject in subjects}
        ids = dict(tables.orders().filter(number__in=numbers).values_list("number", "pk"))
        orders = reading.read(ids.values())
        products = {line.product_id for seen in orders.values() for line in seen.lines}
        products.discard(None)
        told = _Told(
            telling=Telling([pk for pk in products if pk is not None]),
            chosen=_chosen(orders),
            care=care.texts_of([pk for pk in products if pk is not None]),
            kept_until=pickup.kept_until(sorted(ids)),
        )
        return [
            _provide(subject, orders.get(ids.get(subject.about.id, 0)), told, now)
            for subject in subjects
        ]


class _Told:
    """What is known of everything in a batch."""

    def __init__(
        self,
        *,
        telling: Telling,
        chosen: Mapping[int, list[str]],
        care: Mapping[int, list[care.Text]],
        kept_until: Mapping[str, datetime],
    ) -> None:
        self.telling, self.chosen = telling, chosen
        self.care, self.kept_until = care, kept_until


def _chosen(order_ids: Iterable[int]) -> dict[int, list[str]]:
    """Return what shoppers chose for lines, "Engraving: Anna", by one query."""
    found: dict[int, list[str]] = defaultdict(list)
    for line_id, name, value in (
        tables.rows("order", "LineAttribute")
        .filter(line__order_id__in=list(order_ids))
        .order_by("pk")
        .values_list("line_id", "type", "value")
    ):
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        found[line_id].append(f"{name}: {text}")
    return found


def _provide(subject: Subject, seen: Seen | None, told: _Told, now: datetime) -> Provided:
    if seen is None:
        return Provided(unavailable=ORDER_GONE, compared={"order": subject.about.id})
    refused = refused_by(subject, seen)
    if refused is not None:
        compared = {"order": subject.about.id, "status": seen.status}
        return Provided(unavailable=refused, compared=compared)
    order = seen.order
    base_url = site_settings(subject.site_id).base_url
    meant = _meant(subject, seen)
    kept = _pickup_until(subject, seen, told)
    form = formatter(subject.language, subject.time_zone)
    with translation.override(subject.language or settings.LANGUAGE_CODE):
        lines = [_line(line, quantity, order, subject, told, base_url) for line, quantity in meant]
        values = {
            "order": {
                "number": str(order.number),
                "date": order.date_placed,
                "total": Money(amount=order.total_incl_tax, currency=order.currency),
                "status": seen.status,
                "url": links.order_url(order, base_url),
                "pay_url": links.pay_url(order, base_url),
                "lines": lines,
                "first": lines[0] if lines else {},
                "tracking": _tracking(subject, seen),
                "pickup_until": kept,
                "pickup_days_left": form.days_left(kept, now) if kept else None,
            },
            "care": _care([line for line, _quantity in meant], told),
        }
    return Provided(values=values, observed={"order": order.pk})


def _meant(subject: Subject, seen: Seen) -> list[tuple[Line, int]]:
    """Return the lines that the event was about, and how many of each; else all of the order."""
    payload = subject.payload
    wanted = payload.get("lines") or []
    if payload.get("line_id"):
        wanted = [payload["line_id"]]
    counts = dict(zip(wanted, payload.get("quantities") or (), strict=False))
    found = [
        (line, int(counts.get(line.id, line.quantity))) for line in seen.lines if line.id in wanted
    ]
    return found or [(line, line.quantity) for line in seen.lines]


def _line(
    line: Line, quantity: int, order: Any, subject: Subject, told: _Told, base_url: str
) -> dict[str, Any]:
    values = {
        "title": line.title,
        "variant": "",
        "url": links.order_url(order, base_url),
        "image_url": pictures.placeholder_url(base_url),
    }
    # A product that was deleted since is told as the order has it.
    if line.product_id is not None and line.product_id in told.telling:
        said = told.telling.about(line.product_id, language=subject.language, base_url=base_url)
        values = {**said.values(), "title": line.title or said.title}
    price = line.price if quantity == line.quantity else line.price * quantity / line.quantity
    return {
        **values,
        "variant": ", ".join(filter(None, [values["variant"], *told.chosen.get(line.id, ())])),
        "quantity": quantity,
        "line_price": Money(amount=round(price, 2), currency=order.currency),
    }


def _tracking(subject: Subject, seen: Seen) -> str:
    """Return what was noted with the parcel: the event's own, else the newest that was sent."""
    own = subject.payload.get("event_id")
    sent = stages.names_of(stages.SHIPPED)
    noted = [
        one
        for one in seen.shipping
        if one.reference and (one.id == own if own else one.name in sent)
    ]
    return noted[-1].reference if noted else ""


def _pickup_until(subject: Subject, seen: Seen, told: _Told) -> datetime | None:
    known = told.kept_until.get(str(seen.order.number))
    until = subject.payload.get("until")
    return known or (datetime.fromisoformat(str(until)) if until else None)


def _care(lines: Collection[Line], told: _Told) -> list[dict[str, str]]:
    """Return what is to be said of the products, each text once."""
    texts = [text for line in lines for text in told.care.get(line.product_id or 0, ())]
    return [text.values() for text in dict.fromkeys(texts)]
