"""Rows that are read by the hundred: instances without what Django does for each of them.

`Model.__init__` with its signals costs ten times what the values cost that it puts in place. Such
a row has only the fields that were asked for; Django reads another one when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import models
from django.db.models import QuerySet
from django.db.models.base import ModelState

from .questions import Question
from .sql import database_for

M = TypeVar("M", bound=models.Model)


class Reader(Generic[M]):
    """Reads rows of one kind, with the fields that are named, and with rows that they refer to.

    Fields are column attributes, as in "flow_id". `related` names rows that are read with them,
    each with its fields, as in [("message", ["flow_id"]), ("message__contact", ["language"])]; an
    outer one goes first. `write` says which rows, and in which order.
    """

    def __init__(
        self,
        model: type[M],
        names: Sequence[str],
        write: Callable[[QuerySet[M]], QuerySet[M]],
        related: Sequence[tuple[str, Sequence[str]]] = (),
    ) -> None:
        self._model = model
        self._asked = [("", names), *related]
        self._write = write
        self._question: Question | None = None
        self._makers: list[_Maker] = []

    def read(self, values: Mapping[str, Any]) -> list[M]:
        """Return the rows that a question with these values finds."""
        question = self._question
        if question is None:
            # Relations can be followed once all models are there.
            self._makers = [
                _Maker(path, _model_at(self._model, path) if path else self._model, names)
                for path, names in self._asked
            ]
            columns = [f"{maker.prefix}{name}" for maker in self._makers for name in maker.names]
            question = self._question = Question(
                lambda: self._model, lambda rows: self._write(rows).values_list(*columns)
            )
        return list(_made(question.ask(values), self._makers, database_for(self._model)))


class _Maker:
    def __init__(self, path: str, model: type[models.Model], names: Sequence[str]) -> None:
        pk = model._meta.pk
        assert pk is not None
        self.prefix = f"{path}__" if path else ""
        self.parent, _, self.field = path.rpartition("__")
        self.path, self.model = path, model
        self.names = [pk.attname, *(name for name in names if name != pk.attname)]

    def make(self, values: Sequence[Any], db: str) -> models.Model:
        made = self.model.__new__(self.model)
        state = ModelState()
        state.adding, state.db = False, db
        made.__dict__ = {"_state": state, **dict(zip(self.names, values, strict=True))}
        return made


def _made(found: Iterable[tuple[Any, ...]], makers: Sequence[_Maker], db: str) -> Iterator[Any]:
    """Make the rows of each tuple; what several rows refer to is made once."""
    places, at = [], 0
    for maker in makers:
        places.append(slice(at, at + len(maker.names)))
        at += len(maker.names)
    first, rest = makers[0], list(zip(makers, places, strict=True))[1:]
    known: dict[tuple[str, Any], models.Model] = {}
    for values in found:
        row = first.make(values[places[0]], db)
        by_path = {"": row}
        for maker, place in rest:
            mine = values[place]
            other = None
            if mine[0] is not None:
                other = known.get((maker.path, mine[0]))
                if other is None:
                    other = known[maker.path, mine[0]] = maker.make(mine, db)
                by_path[maker.path] = other
            holder = by_path.get(maker.parent)
            if holder is not None:
                holder._state.fields_cache[maker.field] = other
        yield row


def _model_at(model: type[models.Model], path: str) -> type[models.Model]:
    for name in path.split("__"):
        model = model._meta.get_field(name).related_model  # type: ignore[assignment]  # a relation of ours
    return model
