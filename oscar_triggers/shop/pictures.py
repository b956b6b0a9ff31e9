"""Addresses of pictures and pages that still work when a letter is opened a year later."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from django.templatetags.static import static

#: A light drawing of a parcel, 600 × 600 pixels.
PLACEHOLDER = "oscar_triggers/no-picture.png"

#: What storages add to addresses that stop working: Amazon, Google, CloudFront, Azure.
_EXPIRING = ("x-amz-expires", "x-goog-expires", "expires", "signature", "se")


def picture_url(product: Any, base_url: str) -> str:
    """Return the absolute address of a product's first picture, or of the placeholder.

    The original, not a thumbnail: thumbnails are cleaned away, letters stay.
    """
    for image in product.get_all_images():
        try:
            url = absolute(base_url, image.original.url)
        except ValueError:  # a row without a file
            continue
        if not expires(url):
            return url
    return placeholder_url(base_url)


def placeholder_url(base_url: str) -> str:
    """Return the absolute address of the drawing that stands for a missing picture."""
    try:
        return absolute(base_url, static(PLACEHOLDER))
    except ValueError:  # static files were not collected: no picture is better than no letter
        return ""


def absolute(base_url: str, url: str) -> str:
    """Return an address with scheme and host."""
    return urljoin(f"{base_url}/", url)


def expires(url: str) -> bool:
    """Say whether a storage signed an address for a while only."""
    names = {name.lower() for name in parse_qs(urlsplit(url).query, keep_blank_values=True)}
    return any(name in names for name in _EXPIRING)
