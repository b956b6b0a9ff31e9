"""Addresses of the shop's pages, for letters that are read elsewhere."""

from __future__ import annotations

import swapper  # type: ignore[import-untyped]  # it has no types
from django.apps import apps

SCHEMES = ("https://", "http://", "mailto:", "tel:")


def address_of(page_id: str) -> str:
    """Return the whole address of a live page; "" for one that is gone, or not live."""
    if not page_id.isdigit():
        return ""
    model = apps.get_model(swapper.get_model_name("wagtailcore", "Page"))
    page = model._default_manager.filter(pk=int(page_id), live=True).first()
    return str((page and page.get_full_url()) or "")
