"""What a letter recommends: shown, in stock, priced for the person; read when it says so only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ...conf import site_settings
from ...content import context, recommendations
from ...content.context import Provided, Wanted
from ...content.recommendations import ROOT, Occasion
from ...content.values import Money
from ...snapshots import Subject
from ..products.said import Telling
from ..stock.quoting import Quote, quote_many
from ..stock.quoting import Wanted as Pair
from .families import families_of, occasions_of

#: So many products stand in each list.
MOST = 4
#: So many are looked at for a list: some of them are sold out, or bought already.
_CANDIDATES = 12


@context.register
class RecommendedContext(context.ContextProvider):
    """The lists of `recommended` that a letter uses; no product stands in two of them."""

    name = ROOT
    only_for = ROOT

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return all lists for each subject."""
        return self.provide_wanted([Wanted(subject=subject) for subject in subjects], now)

    def provide_wanted(self, wanted: Sequence[Wanted], now: datetime) -> list[Provided]:
        """Return the lists that each letter uses, in a constant number of queries."""
        occasions = occasions_of([one.subject for one in wanted], now)
        found: list[dict[str, list[int]]] = [{} for _one in wanted]
        for fills in recommendations.lists():
            using = [n for n, one in enumerate(wanted) if one.uses(f"{ROOT}.{fills}")]
            if not using:
                continue
            answers = recommendations.recommend_many(
                fills, [occasions[n] for n in using], now, _CANDIDATES
            )
            for position, ids in zip(using, answers, strict=True):
                found[position][fills] = ids
        shelf = _Shelf(wanted, occasions, found, now)
        return [
            Provided(values={ROOT: shelf.lists_of(one, occasion, lists)})
            for one, occasion, lists in zip(wanted, occasions, found, strict=True)
        ]


class _Shelf:
    """What is known of all products that anybody may be told of."""

    def __init__(
        self,
        wanted: Sequence[Wanted],
        occasions: Sequence[Occasion],
        found: Sequence[dict[str, list[int]]],
        now: datetime,
    ) -> None:
        ids = {pk for lists in found for some in lists.values() for pk in some}
        # A recommender may have named a variant.
        self._families = families_of(ids)
        pairs: dict[Pair, None] = {}
        for one, lists in zip(wanted, found, strict=True):
            for pk in (pk for some in lists.values() for pk in some):
                if pk in self._families:
                    pairs[one.subject.user_id, self._families[pk]] = None
        self._quotes = quote_many(list(pairs), now) if pairs else {}
        self._telling = Telling({pk for _user_id, pk in pairs})

    def lists_of(
        self, one: Wanted, occasion: Occasion, lists: dict[str, list[int]]
    ) -> dict[str, list[dict[str, Any]]]:
        """Return what is told to one person: what can be bought now, each product once."""
        base_url = site_settings(one.subject.site_id).base_url
        told = {*occasion.products, *occasion.bought}
        said: dict[str, list[dict[str, Any]]] = {}
        for fills, ids in lists.items():
            said[fills] = []
            for pk in (self._families[pk] for pk in ids if pk in self._families):
                quote = self._quotes.get((one.subject.user_id, pk))
                if len(said[fills]) == MOST or pk in told or not self._can_be_told(pk, quote):
                    continue
                assert quote is not None
                told.add(pk)
                product = self._telling.about(pk, language=one.subject.language, base_url=base_url)
                said[fills].append(
                    {
                        "title": product.title,
                        "url": product.url,
                        "image_url": product.image_url,
                        "price": Money(amount=quote.price, currency=quote.currency),
                    }
                )
        return said

    def _can_be_told(self, pk: int, quote: Quote | None) -> bool:
        return quote is not None and quote.is_available and self._telling.is_public(pk)
