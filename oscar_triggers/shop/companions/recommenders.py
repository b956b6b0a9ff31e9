"""The recommenders that ship: from the shop's orders, its editors, categories, and past looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils.translation import pgettext_lazy

from ...content import recommendations
from ...content.recommendations import BUILT_IN, Occasion, Recommender
from ...models import ProductPair
from .. import tables
from .likeness import Like, alike, best_of
from .viewing import viewed_by

#: Further away than this share of its price, nothing is an alternative to a product.
NEAR = 0.5

_COMPANIONS = pgettext_lazy("triggers", "Recommended: goes with it")
_SIMILAR = pgettext_lazy("triggers", "Recommended: similar")
_ALTERNATIVES = pgettext_lazy("triggers", "Recommended: instead of it")
_VIEWED = pgettext_lazy("triggers", "Recommended: looked at lately")
_PICKED = pgettext_lazy("triggers", "Recommended: picked for the person")


@recommendations.register
class PickedByEditors(Recommender):
    """What the shop's editors recommend beside a product, in their order."""

    name = "editors"
    fills = "companions"
    label = _COMPANIONS
    rank = BUILT_IN

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> list[list[int]]:
        """Read the recommended products of all products at once."""
        found: dict[int, list[int]] = defaultdict(list)
        rows = (
            tables.rows("catalogue", "ProductRecommendation")
            .filter(primary_id__in=_products_of(occasions))
            .order_by("-ranking", "pk")
            .values_list("primary_id", "recommendation_id")
        )
        for primary_id, product_id in rows:
            found[primary_id].append(product_id)
        return [_in_turn([found[pk] for pk in one.products]) for one in occasions]


@recommendations.register
class BoughtTogether(Recommender):
    """What others bought in the same order; what goes with most of a basket goes first."""

    name = "bought_together"
    fills = "companions"
    label = _COMPANIONS
    rank = BUILT_IN + 10

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> list[list[int]]:
        """Read the counted pairs of all products at once."""
        pairs: dict[int, list[tuple[int, int]]] = defaultdict(list)
        rows = ProductPair.objects.filter(product_id__in=_products_of(occasions))
        for pk, companion_id, count in rows.values_list("product_id", "companion_id", "count"):
            pairs[pk].append((companion_id, count))
        found = []
        for one in occasions:
            points: dict[int, int] = defaultdict(int)
            for pk in one.products:
                for companion_id, count in pairs[pk]:
                    points[companion_id] += count
            found.append(sorted(points, key=lambda pk: (-points[pk], pk)))
        return found


@recommendations.register
class Similar(Recommender):
    """What is in the same categories and has the same attributes."""

    name = "similar"
    fills = "similar"
    label = _SIMILAR
    rank = BUILT_IN

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> list[list[int]]:
        """Compare all products at once."""
        likes = alike(_products_of(occasions))
        return [best_of(likes, one.products) for one in occasions]


@recommendations.register
class Alternatives(Recommender):
    """What can be bought instead: similar, in stock, and near in price."""

    name = "alternatives"
    fills = "alternatives"
    label = _ALTERNATIVES
    rank = BUILT_IN

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> list[list[int]]:
        """Compare all products at once, and leave out what costs far more or less."""
        likes = {
            pk: [one for one in found if _is_near(one)]
            for pk, found in alike(_products_of(occasions)).items()
        }
        return [best_of(likes, one.products) for one in occasions]


@recommendations.register
class Viewed(Recommender):
    """What the person looked at lately and did not buy."""

    name = "viewed"
    fills = "viewed"
    label = _VIEWED
    rank = BUILT_IN

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> list[list[int]]:
        """Read everybody's looks at once."""
        return viewed_by([one.subject for one in occasions], now)


@recommendations.register
class ByTaste(Recommender):
    """What is like what the person looked at, bought, and is written to about (K18).

    A style, a brand or a material that comes again and again counts more each time.
    """

    name = "taste"
    fills = "picked"
    label = _PICKED
    rank = BUILT_IN

    #: So many products make a person's taste.
    _SEEDS = 8

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> list[list[int]]:
        """Compare what all of them looked at, at once."""
        looks = viewed_by([one.subject for one in occasions], now)
        tastes = [
            list(dict.fromkeys([*viewed, *one.products, *one.bought]))[: self._SEEDS]
            for viewed, one in zip(looks, occasions, strict=True)
        ]
        likes = alike({pk for taste in tastes for pk in taste})
        return [
            [pk for pk in best_of(likes, taste) if pk not in viewed]
            for taste, viewed in zip(tastes, looks, strict=True)
        ]


def _products_of(occasions: Iterable[Occasion]) -> set[int]:
    return {pk for one in occasions for pk in one.products}


def _in_turn(lists: Sequence[Sequence[int]]) -> list[int]:
    """Return the first of each, then the second of each."""
    longest = max(map(len, lists), default=0)
    return list(
        dict.fromkeys(one[place] for place in range(longest) for one in lists if place < len(one))
    )


def _is_near(one: Like) -> bool:
    return one.distance is None or one.distance <= NEAR
