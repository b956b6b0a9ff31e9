"""Points of a shop's loyalty programme: its own code counts them, flows give and letters say them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from ..models import Enrollment
from ..models.sql import database_for
from ..snapshots import About
from . import faults

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Gift:
    """Points for one customer."""

    #: Names this gift for ever: asked for it again, a programme gives nothing more.
    key: str
    user_id: Any
    points: int
    flow_key: str
    #: What it is given for: an order, a review.
    about: About


class Programme:
    """What a shop writes: where points are kept, and how they are given."""

    def balances(self, user_ids: Collection[Any]) -> Mapping[Any, int]:
        """Return how many points accounts have; who takes no part is left out."""
        raise NotImplementedError(f"{type(self).__name__} must define balances().")

    def give(self, gifts: Sequence[Gift], now: datetime) -> Collection[str]:
        """Give points, each gift once however often it is asked for.

        Returns the keys of the gifts that these customers have now, those of before too.
        """
        raise NotImplementedError(f"{type(self).__name__} must define give().")


_programmes: list[Programme] = []

P = TypeVar("P", bound=type[Programme])


def register(programme_class: P) -> P:
    """Register the shop's programme (a class decorator); there is one."""
    if any(type(one) is not programme_class for one in _programmes):
        raise ImproperlyConfigured(
            f"{programme_class.__name__} is a second loyalty programme beside "
            f"{type(_programmes[0]).__name__}; register one that asks both."
        )
    _programmes[:] = [programme_class()]
    return programme_class


def forget() -> None:
    """Know no programme any more."""
    _programmes.clear()


def is_there() -> bool:
    """Say whether the shop has a programme."""
    return bool(_programmes)


def balances(user_ids: Collection[Any]) -> Mapping[Any, int]:
    """Return the points of accounts, as far as the shop's programme can say."""
    if not _programmes or not user_ids:
        return {}
    try:
        with transaction.atomic(using=database_for(Enrollment)):
            return dict(_programmes[0].balances(user_ids))
    except Exception as error:  # noqa: BLE001 - letters go without what the shop's code cannot say
        logger.error("The loyalty programme told no points: %s", faults.told(error))
        return {}


def give(gifts: Sequence[Gift], now: datetime) -> Collection[str] | None:
    """Give points and return the keys of what is given; None where the programme failed."""
    if not _programmes or not gifts:
        return ()
    try:
        # A statement of the shop's that fails must not poison the engine's transaction.
        with transaction.atomic(using=database_for(Enrollment)):
            return set(_programmes[0].give(gifts, now))
    except Exception as error:  # noqa: BLE001 - whatever the shop's code raises: it is asked again
        logger.error("The loyalty programme gave no points: %s", faults.told(error))
        return None
