"""What letters about products say: each as the shop would sell it to that person now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...conf import site_settings
from ...content import context
from ...content.context import Provided
from ...content.values import Money
from ...models import Enrollment, ProductRequest
from ...snapshots import Subject
from .. import tables
from ..goods import number_of
from ..guards import SOLD_OUT
from ..stock.quoting import Quote, quote_many
from .guard import ABOUT_PRODUCT, ABOUT_REQUEST
from .said import Said, Telling

#: Skip reason: it was deleted, or is no longer shown.
PRODUCT_GONE = "product_gone"

#: Up to this many left, letters may say how many.
FEW = 5

#: Events of which nothing needs to be there to buy.
_WITHOUT_GOODS = frozenset(
    {"request_made", "request_expired", "product_discontinued", "review_written", "review_approved"}
)


@context.register
class ProductContext(context.ContextProvider):
    """One product with today's price; the same queries for any number of letters."""

    name = "products"
    about_types = frozenset({ABOUT_PRODUCT, ABOUT_REQUEST})

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say to each subject about the product of its flow."""
        asked = _ask(subjects)
        product_ids = {one.product_id for one in asked} - {0}
        telling = Telling(product_ids)
        pairs = [(one.subject.user_id, one.product_id) for one in asked if one.product_id]
        quotes = quote_many(pairs, now) if pairs else {}
        counted = records_of(quotes.values())
        return [
            _provide(one, telling, quotes.get((one.subject.user_id, one.product_id)), counted)
            for one in asked
        ]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A stock record as a guard compares it."""

    price: str | None
    #: Whether the shop counts what is left of it.
    is_counted: bool

    def observed(self, quote: Quote, product_id: int, quantity: int) -> dict[str, Any]:
        """Return what a letter of some pieces is written from."""
        # Only what was in stock can sell out; a strategy may sell what is not.
        left = quote.num_available
        return {
            "price": self.price,
            "tracked": self.is_counted and left is not None and left >= quantity,
            "quantity": quantity,
            "product": product_id,
        }


def records_of(quotes: Collection[Quote]) -> dict[int, Record]:
    """Return the stock records that quotes are of, by one query."""
    ids = {quote.stock_record_id for quote in quotes} - {None}
    if not ids:
        return {}
    rows = (
        tables.stock_records()
        .filter(pk__in=ids)
        .values_list(
            "pk",
            "price",
            "product__product_class__track_stock",
            "product__parent__product_class__track_stock",
        )
    )
    return {
        pk: Record(
            price=None if price is None else str(price),
            is_counted=bool(parents if own is None else own),
        )
        for pk, price, own, parents in rows
    }


def product_values(said: Said, quote: Quote | None) -> dict[str, Any]:
    """Return a product as merge tags know it; what is not known is None."""
    left = None if quote is None else quote.num_available
    price = None if quote is None else Money(amount=quote.price, currency=quote.currency)
    return {
        # By which it is known later what the letter told, of which product.
        "id": said.product_id,
        **said.values(),
        "price": price,
        "old_price": None,
        "saving": None,
        "percent": None,
        "lowest_30d": None,
        "left": left if left is not None and 0 < left <= FEW else None,
    }


# ── What is asked for ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class _Asked:
    subject: Subject
    #: What can be bought: of a request, the variant that answers it; 0 when nobody knows.
    product_id: int
    quantity: int = 1
    #: Whether the letter is of no use when it cannot be bought.
    is_offer: bool = True
    #: From when on an order of it means that it was bought.
    since: datetime


def _ask(subjects: Sequence[Subject]) -> list[_Asked]:
    """Read requests and what the flows began with: two queries."""
    ids = {number_of(one.about.id) for one in subjects if one.about.type == ABOUT_REQUEST}
    requests = ProductRequest.objects.in_bulk(list(ids - {None})) if ids else {}
    began = {
        pk: (kind, happened)
        for pk, kind, happened in Enrollment.objects.filter(
            pk__in=[one.enrollment_id for one in subjects], journal_entry__isnull=False
        ).values_list("pk", "journal_entry__kind", "journal_entry__occurred_at")
    }
    asked = []
    for subject in subjects:
        kind, happened = began.get(subject.enrollment_id, ("", subject.entered_at))
        number = number_of(subject.about.id) or 0
        since = min(happened, subject.entered_at)
        is_offer = kind not in _WITHOUT_GOODS
        if subject.about.type == ABOUT_PRODUCT:
            asked.append(_Asked(subject=subject, product_id=number, is_offer=is_offer, since=since))
            continue
        request = requests.get(number)
        if request is None:
            asked.append(_Asked(subject=subject, product_id=0, since=since))
            continue
        answer = subject.payload.get("product_id") or request.product_id
        asked.append(
            _Asked(
                subject=subject,
                product_id=int(answer),
                quantity=request.quantity,
                is_offer=is_offer,
                since=request.created_at,
            )
        )
    return asked


# ── What is said ─────────────────────────────────────────────────────────────────────────────────


def _provide(
    asked: _Asked, telling: Telling, quote: Quote | None, counted: Mapping[int, Record]
) -> Provided:
    if asked.product_id not in telling:
        return Provided(unavailable=PRODUCT_GONE)
    if asked.is_offer:
        if not telling.is_public(asked.product_id):
            return Provided(unavailable=PRODUCT_GONE)
        if not can_be_bought(quote, asked.quantity):
            return Provided(unavailable=SOLD_OUT)
    subject = asked.subject
    base_url = site_settings(subject.site_id).base_url
    said = telling.about(asked.product_id, language=subject.language, base_url=base_url)
    product = product_values(said, quote)
    values: dict[str, Any] = {"product": product, "products": [product]}
    if not asked.is_offer or quote is None:
        return Provided(values=values, observed={"products": []})
    return Provided(
        values=values,
        observed={
            "products": [asked.product_id],
            "stock": observed_stock(quote, asked.product_id, asked.quantity, counted),
            "all_needed": False,
            "since": asked.since.isoformat(),
        },
    )


def can_be_bought(quote: Quote | None, quantity: int = 1) -> bool:
    """Say whether the shop sells that many to the person now."""
    if quote is None or not quote.is_available:
        return False
    return quote.num_available is None or quote.num_available >= quantity


def observed_stock(
    quote: Quote, product_id: int, quantity: int, counted: Mapping[int, Record]
) -> dict[str, Any]:
    """Return what the guard compares of a product: its stock record by number."""
    pk = quote.stock_record_id
    if pk is None or pk not in counted:
        return {}
    return {str(pk): counted[pk].observed(quote, product_id, quantity)}
