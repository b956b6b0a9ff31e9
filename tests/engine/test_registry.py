"""Apps register classes once each: a second import changes nothing, a second class is refused."""

from __future__ import annotations

import pytest

from oscar_triggers.exceptions import AlreadyRegistered
from oscar_triggers.registry import Registry


class Source:
    """What a shop registers an instance of."""

    name = ""


class Warehouse(Source):
    """One of them."""

    name = "warehouse"


class Nameless(Source):
    """Another one, known by what it is called."""


def test_an_instance_is_registered_once_and_under_its_name() -> None:
    registry: Registry[Source] = Registry("source")
    assert registry.add_one_of(Warehouse)
    first = registry.get("warehouse")
    assert not registry.add_one_of(Warehouse)
    assert registry.get("warehouse") is first
    registry.add_one_of(Nameless)
    assert list(registry) == ["warehouse", "Nameless"]


def test_another_class_of_the_same_name_is_not_lost_in_silence() -> None:
    registry: Registry[Source] = Registry("source")
    registry.add_one_of(Warehouse)
    other = type("Other", (Source,), {"name": "warehouse"})
    with pytest.raises(AlreadyRegistered, match="warehouse"):
        registry.add_one_of(other)
    assert type(registry.get("warehouse")) is Warehouse
