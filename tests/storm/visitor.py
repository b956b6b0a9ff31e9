"""A visitor who loads pages and fills baskets all the time, in a process of the site's own."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

#: A basket is filled so far; then another visitor comes.
_ADDITIONS = 5
#: Between two pages; nobody clicks faster (seconds).
_PAUSE = 0.05


def visit(log: Path) -> None:
    """Visit until the power goes; append `page seconds status` for every page."""
    from django.test import Client
    from django.urls import reverse

    from tests.shopping import Shopper, make_product

    product = make_product("Visited mug", price=Decimal("12.50"), num_in_stock=1_000_000)
    with log.open("a", buffering=1) as written:
        while True:
            client = Client()
            shopper = Shopper(client=client, email="visitor@example.com")
            pages: dict[str, Callable[[], Any]] = {
                "product": lambda client=client: client.get(product.get_absolute_url()),  # type: ignore[misc]  # a loop's own value
                "add": lambda shopper=shopper: shopper.add(product),  # type: ignore[misc]  # as above
                "basket": lambda client=client: client.get(reverse("basket:summary")),  # type: ignore[misc]  # as above
            }
            for _turn in range(_ADDITIONS):
                for name, page in pages.items():
                    began = time.perf_counter()
                    try:
                        answer = page()
                        said = str(getattr(answer, "status_code", 302))
                    except Exception as error:  # noqa: BLE001 - what a visitor would see as a fault
                        said = f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
                    written.write(f"{name}\t{time.perf_counter() - began:.4f}\t{said}\n")
                    time.sleep(_PAUSE)


def report(log: Path, said: str) -> dict[str, Any]:
    """Return how many pages were seen, how many failed, and how long they took (seconds)."""
    pages = [line.split("\t") for line in log.read_text().splitlines()] if log.exists() else []
    times = sorted(float(seconds) for _name, seconds, _said in pages)
    faults = [answer for _name, _seconds, answer in pages if answer not in ("200", "302")]
    return {
        "visitor_pages": len(pages),
        "visitor_faults": len(faults),
        "visitor_first_fault": faults[0] if faults else said[-300:] if not pages else "",
        "visitor_locked": sum("locked" in one for one in faults),
        "visitor_p99": round(statistics.quantiles(times, n=100)[-1], 3) if len(times) > 1 else None,
        "visitor_slowest": times[-1] if times else None,
    }


if __name__ == "__main__":
    django.setup()
    visit(Path(sys.argv[1]))
