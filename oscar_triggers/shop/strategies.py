"""Whether a shop's prices are Oscar's own work: then a product is asked once for a whole batch.

What a shop wrote itself may answer each person, basket or line differently, and is asked each time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from types import FunctionType
from typing import Any

from oscar.core.loading import get_class

#: What a class of the shop may set without changing what depends on what ("rate" of a tax).
_PLAIN = (Decimal, int, str, tuple, type(None))
#: What Oscar's strategies know of who asks; nothing, without a request.
_KNOWN = frozenset({"request", "user"})
#: What Python itself puts into every class.
_OF_PYTHON = frozenset({"__dict__", "__weakref__", "__module__", "__doc__", "__annotations__"})


def selector() -> Any:
    """Return the shop's own choice of strategies."""
    return get_class("partner.strategy", "Selector")()


def is_the_same_for_all(choice: Any) -> bool:
    """Say whether a selector chooses the same strategy for every person: Oscar's own does."""
    return _is_oscars(type(choice)) and not vars(choice)


def ask_products_only(strategies: Collection[Any]) -> bool:
    """Say whether their answers for a line depend on nothing but the line's product.

    True where every method is Oscar's own and no person is known to them; a shop's class may have
    set a rate. Who replaces one of Oscar's functions makes it the shop's.
    """
    return all(map(_is_oscars, {type(one) for one in strategies})) and all(
        one.__dict__.keys() <= _KNOWN and not any(one.__dict__.values()) for one in strategies
    )


def _is_oscars(kind: type) -> bool:
    from oscar.apps.partner import strategy

    oscars = vars(strategy)
    return all(
        attribute.__globals__ is oscars and not hasattr(attribute, "__wrapped__")
        if isinstance(attribute, FunctionType)
        else isinstance(attribute, _PLAIN)
        for attribute in _attributes(kind)
    )


def _attributes(kind: type) -> Iterator[Any]:
    for one in kind.__mro__[:-1]:
        yield from (value for name, value in vars(one).items() if name not in _OF_PYTHON)
