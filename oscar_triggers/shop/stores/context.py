"""What a letter says of the shop in the reader's city; read when it says so only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from ...conf import site_settings
from ...content import context, stores
from ...content.context import Provided
from ...content.stores import ROOT, Store
from ...snapshots import Subject
from .places import places_of


@context.register
class StoreContext(context.ContextProvider):
    """The shop of each reader; where there is none all its values are empty."""

    name = ROOT
    only_for = ROOT

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return a shop for each subject, in a constant number of queries for each site."""
        known = {one: stores.stores(one) for one in dict.fromkeys(one.site_id for one in subjects)}
        # Nobody's address is looked for where there is no shop to go to.
        places = places_of(subjects) if any(known.values()) else [None] * len(subjects)
        return [
            Provided(values={ROOT: _said(stores.nearest(place, known[one.site_id]), one.site_id)})
            for one, place in zip(subjects, places, strict=True)
        ]


def _said(store: Store | None, site_id: int | None) -> Mapping[str, Any]:
    if store is None:
        return dict.fromkeys(("name", "address", "city", "phone", "hours", "url"), "")
    return {
        "name": store.name,
        "address": store.address,
        "city": store.city,
        "phone": store.phone,
        "hours": store.hours,
        "url": _page(store.url, site_settings(site_id).base_url),
    }


def _page(url: str, base_url: str) -> str:
    """Return a whole address for the web; what leads elsewhere is no page of a shop."""
    whole = urljoin(f"{base_url}/", url) if url else ""
    return whole if urlsplit(whole).scheme in ("http", "https") else ""
