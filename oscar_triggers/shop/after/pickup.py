"""Until when an order is kept to be fetched: the trigger's own term, or what the shop's code says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from django.utils import timezone

from ...engine import faults

logger = logging.getLogger(__name__)

#: From numbers of orders to the moments (UTC) at which they go back; left out: nobody knows.
Source = Callable[[Sequence[str]], Mapping[str, datetime]]
_sources: list[Source] = []


def source(function: Source) -> Source:
    """Register a function that knows until when orders are kept (a decorator).

    It is asked for a batch of numbers at once. The first that knows a number counts.
    """
    if function not in _sources:
        _sources.append(function)
    return function


def forget(function: Source) -> None:
    """Ask a function no more."""
    if function in _sources:
        _sources.remove(function)


def kept_until(numbers: Sequence[str]) -> dict[str, datetime]:
    """Return until when these orders are kept, as far as the shop's code knows."""
    found: dict[str, datetime] = {}
    for function in _sources:
        missing = [number for number in numbers if number not in found]
        if missing:
            found.update(_asked(function, missing))
    return found


def _asked(function: Source, numbers: Sequence[str]) -> dict[str, datetime]:
    """Ask a function of the shop's; what it cannot say right is not known."""
    try:
        return {str(number): _moment(until) for number, until in function(numbers).items()}
    except Exception as error:  # noqa: BLE001 - the shop's function must not stop all orders
        logger.error("A source of pick-up dates failed: %s", faults.told(error))
        return {}


def _moment(until: datetime) -> datetime:
    return until if timezone.is_aware(until) else timezone.make_aware(until)
