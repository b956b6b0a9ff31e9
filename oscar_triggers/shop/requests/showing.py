"""Products that are waited for, as pages show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings

from ...models import ProductRequest, RequestKind
from .. import tables
from ..goods import number_of
from ..products import said
from . import asking, terms


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A product on a page."""

    title: str
    #: "" where the shop does not show it any more.
    url: str


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A request on the page of an account."""

    public_id: str
    product: Shown | None
    cheaper: bool
    quantity: int
    target_price: Decimal | None
    currency: str
    created_at: Any


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A sold-out variant that a form offers to wait for."""

    product_id: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Form:
    """What stands on a product's page."""

    product_id: int
    back: bool
    cheaper: bool
    #: What a customer asked for already, as kinds.
    asked: frozenset[str]
    currency: str
    #: Of a product with variants: those that are sold out, and not waited for already.
    variants: tuple[Variant, ...] = ()
    #: Whether the product itself can be waited for: any of its variants.
    any_variant: bool = True


def one(product_id: int) -> Shown | None:
    """Return a product; None where there is none."""
    return _shown([product_id]).get(product_id)


def listed(requests: Iterable[ProductRequest]) -> list[Listed]:
    """Return requests with their products, in a constant number of queries."""
    rows = list(requests)
    products = _shown({row.product_id for row in rows})
    return [
        Listed(
            public_id=row.public_id,
            product=products.get(row.product_id),
            cheaper=row.kind == RequestKind.CHEAPER,
            quantity=row.quantity,
            target_price=row.target_price,
            currency=row.currency,
            created_at=row.created_at,
        )
        for row in rows
    ]


def form(product: Any, *, user: Any, strategy: Any) -> Form | None:
    """Return what a visitor may ask about a product now; None for nothing."""
    offered = terms.offered()
    is_member = getattr(user, "pk", None) is not None
    if not (offered.back or offered.cheaper) or not (is_member or offered.guests):
        return None
    available, sold_out = _availability(product, strategy)
    # Of what cannot be bought no price is asked.
    cheaper = offered.cheaper and available is not False
    if not (cheaper or (offered.back and (sold_out or not available))):
        return None
    ids = [product.pk, *(variant.pk for variant in sold_out)]
    known = asking.asked_by(user.pk, ids) if is_member else set()
    left = [one for one in sold_out if (one.pk, RequestKind.BACK.value) not in known]
    return Form(
        product_id=product.pk,
        back=offered.back and (not available or bool(sold_out)),
        cheaper=cheaper,
        asked=frozenset(kind for pk, kind in known if pk == product.pk or not left),
        currency=_currency(),
        variants=tuple(
            Variant(product_id=one.pk, title=said.variant_name(one) or str(one.get_title()))
            for one in left
        ),
        any_variant=not available,
    )


def variant_of(product_id: int, chosen: str) -> int:
    """Return the variant of a product that a form names, or the product where it names none."""
    number = number_of(chosen)
    if number is None:
        return product_id
    variants = tables.rows("catalogue", "Product").filter(pk=number, parent_id=product_id)
    return number if variants.exists() else product_id


def currency(request: Any) -> str:
    """Return the currency in which this visitor sees prices."""
    strategy_currency = getattr(getattr(request, "strategy", None), "currency", "")
    return str(strategy_currency or _currency())


def _currency() -> str:
    return str(getattr(settings, "OSCAR_DEFAULT_CURRENCY", ""))


def _availability(product: Any, strategy: Any) -> tuple[bool | None, list[Any]]:
    """Say whether the shop sells a product to this visitor, and which of its variants it does not.

    None where nobody can say.
    """
    if strategy is None:
        return None, []
    if not product.is_parent:
        return bool(strategy.fetch_for_product(product).availability.is_available_to_buy), []
    variants = list(
        tables.rows("catalogue", "Product")
        .filter(parent=product, is_public=True)
        .select_related("parent__product_class")
        .prefetch_related("stockrecords", *said.OF_VARIANTS)
        .order_by("pk")
    )
    sold_out = [
        variant
        for variant in variants
        if not strategy.fetch_for_product(variant).availability.is_available_to_buy
    ]
    return len(sold_out) < len(variants), sold_out


def _shown(product_ids: Iterable[int]) -> dict[int, Shown]:
    products = (
        tables.rows("catalogue", "Product")
        .filter(pk__in=list(product_ids))
        .select_related("parent")
        .prefetch_related(*said.OF_VARIANTS)
    )
    return {
        product.pk: Shown(
            title=said.full_name(product),
            url=product.get_absolute_url() if _is_public(product) else "",
        )
        for product in products
    }


def _is_public(product: Any) -> bool:
    return bool(product.is_public and (product.parent is None or product.parent.is_public))
