"""Shops that Oscar knows: the addresses of its partners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...content import stores
from ...content.stores import BUILT_IN, Store, StoreSource
from .. import tables

_LINES = ("line1", "line2", "line3", "line4", "state", "postcode")


@stores.register
class PartnerAddresses(StoreSource):
    """Each partner's addresses; a forked model may add phone_number, opening_hours and more."""

    name = "partners"
    rank = BUILT_IN

    def stores(self, site_id: int | None) -> Sequence[Store]:
        """Return the addresses that name a city, of every site: Oscar's partners have none."""
        rows = tables.rows("partner", "PartnerAddress").exclude(line4="")
        return [_store(one) for one in rows.select_related("partner").order_by("pk")]


def _store(address: Any) -> Store:
    return Store(
        name=str(address.partner.name or ""),
        city=address.line4,
        country=address.country_id or "",
        postcode=address.postcode or "",
        address=address.join_fields(_LINES),
        phone=_more(address, "phone_number"),
        hours=_more(address, "opening_hours"),
        url=_more(address, "url"),
        is_default=bool(getattr(address, "is_default", False)),
    )


def _more(address: Any, name: str) -> str:
    return str(getattr(address, name, None) or "")
