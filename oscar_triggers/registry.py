"""A place where apps register classes by kind, once each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from django.utils.translation import pgettext

from .exceptions import AlreadyRegistered, UnknownKind

T = TypeVar("T")


class Registry(Generic[T]):
    """What is registered under each kind, in the order of registration."""

    def __init__(self, noun: Any) -> None:
        self.noun = noun
        self._entries: dict[str, T] = {}

    def add(self, kind: str, entry: T) -> T:
        """Register an entry under a kind; raises AlreadyRegistered for a second, other one."""
        present = self._entries.get(kind)
        if present is not None and present is not entry:
            raise AlreadyRegistered(
                f"The {self.noun} {kind!r} is already registered as {present!r}; "
                f"give {entry!r} another kind."
            )
        self._entries[kind] = entry
        return entry

    def add_one_of(self, entry_class: type[T]) -> bool:
        """Register an instance under its class's `name`, else under what the class is called.

        Returns whether it is new; raises AlreadyRegistered where another class has the name.
        """
        name = getattr(entry_class, "name", "") or entry_class.__name__
        present = self._entries.get(name)
        if type(present) is entry_class:
            return False
        self.add(name, entry_class())
        return True

    def get(self, kind: str) -> T:
        """Return the entry of a kind; raises UnknownKind with the known ones."""
        try:
            return self._entries[kind]
        except KeyError:
            known = ", ".join(sorted(self._entries)) or "–"
            raise UnknownKind(
                pgettext(
                    "triggers",
                    "No installed app registers the %(noun)s '%(kind)s' (known: %(known)s). "
                    "Install the app that does, or remove what uses it.",
                )
                % {"noun": self.noun, "kind": kind, "known": known}
            ) from None

    def __contains__(self, kind: object) -> bool:
        return kind in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def items(self) -> list[tuple[str, T]]:
        """Return kinds with their entries, in the order of registration."""
        return list(self._entries.items())

    def values(self) -> list[T]:
        """Return the entries, in the order of registration."""
        return list(self._entries.values())

    @contextmanager
    def temporarily(self, kind: str, entry: T) -> Iterator[T]:
        """Register an entry for the length of a `with` block, for tests of extensions."""
        before = self._entries.get(kind)
        self._entries[kind] = entry
        try:
            yield entry
        finally:
            if before is None:
                del self._entries[kind]
            else:
                self._entries[kind] = before
