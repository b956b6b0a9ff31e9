"""A parsed text as a tree of plain, frozen nodes that survive a trip through JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Place(StrEnum):
    """Where in HTML a value stands, as far as it matters for safety."""

    TEXT = ""
    #: At the start of a link or picture address.
    ADDRESS = "address"
    #: Further on in a link or picture address.
    ADDRESS_PART = "address_part"
    #: Inside a colour or another piece of CSS.
    STYLE = "style"


@dataclass(frozen=True, kw_only=True)
class FilterCall:
    """One `|name:"argument"`."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Literal:
    """Text that the author wrote."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Output:
    """`{{ path|filter }}`."""

    path: tuple[str, ...]
    filters: tuple[FilterCall, ...] = ()
    place: Place = Place.TEXT


@dataclass(frozen=True, kw_only=True)
class Operand:
    """One side of a comparison: a path, or a literal value when the path is empty."""

    path: tuple[str, ...] = ()
    value: str | int | Decimal | bool | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`path`, `not path` or `left operator right`."""

    left: Operand
    operator: str = ""
    right: Operand | None = None
    negated: bool = False


#: Alternatives (`or`) of comparisons that must all hold (`and`); None is `else`.
Condition = tuple[tuple[Comparison, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One side of an `{% if %}`."""

    condition: Condition | None
    nodes: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class If:
    """`{% if %} … {% elif %} … {% else %} … {% endif %}`."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True, kw_only=True)
class For:
    """`{% for variable in path %} … {% endfor %}`."""

    variable: str
    path: tuple[str, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a link leads; a filled letter may write another address in its place."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Trap:
    """A link that no person sees: who follows it is a machine."""


Node = Literal | Output | If | For | Link | Trap
Nodes = tuple[Node, ...]


def paths(nodes: Sequence[Node], scope: dict[str, str] | None = None) -> Iterator[str]:
    """Yield every path that is used, with loop variables written out as in `lines[].title`."""
    scope = scope or {}
    for node in nodes:
        if isinstance(node, Output):
            yield _full(node.path, scope)
        elif isinstance(node, If):
            for branch in node.branches:
                for comparison in (c for group in branch.condition or () for c in group):
                    for operand in (comparison.left, comparison.right):
                        if operand is not None and operand.path:
                            yield _full(operand.path, scope)
                yield from paths(branch.nodes, scope)
        elif isinstance(node, For):
            over = _full(node.path, scope)
            yield over
            yield from paths(node.nodes, {**scope, node.variable: f"{over}[]"})
        elif isinstance(node, Link):
            yield from paths(node.nodes, scope)


def _full(path: tuple[str, ...], scope: dict[str, str]) -> str:
    return ".".join((scope.get(path[0], path[0]), *path[1:]))


def to_json(nodes: Sequence[Node]) -> list[Any]:
    """Write nodes as lists and strings."""
    written: list[Any] = []
    for node in nodes:
        if isinstance(node, Literal):
            written.append(node.text)
        elif isinstance(node, Output):
            calls = [[call.name, *call.arguments] for call in node.filters]
            written.append(["value", ".".join(node.path), calls, node.place.value])
        elif isinstance(node, If):
            written.append(
                [
                    "if",
                    *([_condition_to_json(b.condition), to_json(b.nodes)] for b in node.branches),
                ]
            )
        elif isinstance(node, For):
            written.append(["for", node.variable, ".".join(node.path), to_json(node.nodes)])
        elif isinstance(node, Link):
            written.append(["link", to_json(node.nodes)])
        else:
            written.append(["trap"])
    return written


def from_json(written: Sequence[Any]) -> Nodes:
    """Read what to_json wrote."""
    return tuple(_node_from_json(item) for item in written)


def _node_from_json(item: Any) -> Node:
    if isinstance(item, str):
        return Literal(text=item)
    kind, *rest = item
    if kind == "value":
        path, calls, place = rest
        return Output(
            path=tuple(path.split(".")),
            filters=tuple(FilterCall(name=c[0], arguments=tuple(c[1:])) for c in calls),
            place=Place(place),
        )
    if kind == "if":
        return If(
            branches=tuple(
                Branch(condition=_condition_from_json(condition), nodes=from_json(nodes))
                for condition, nodes in rest
            )
        )
    if kind == "link":
        return Link(nodes=from_json(rest[0]))
    if kind == "trap":
        return Trap()
    variable, path, nodes = rest
    return For(variable=variable, path=tuple(path.split(".")), nodes=from_json(nodes))


def _condition_to_json(condition: Condition | None) -> Any:
    if condition is None:
        return None
    return [
        [
            [
                _operand_to_json(comparison.left),
                comparison.operator,
                None if comparison.right is None else _operand_to_json(comparison.right),
                comparison.negated,
            ]
            for comparison in group
        ]
        for group in condition
    ]


def _condition_from_json(written: Any) -> Condition | None:
    if written is None:
        return None
    return tuple(
        tuple(
            Comparison(
                left=_operand_from_json(left),
                operator=operator,
                right=None if right is None else _operand_from_json(right),
                negated=negated,
            )
            for left, operator, right, negated in group
        )
        for group in written
    )


def _operand_to_json(operand: Operand) -> Any:
    if operand.path:
        return {"path": ".".join(operand.path)}
    if isinstance(operand.value, Decimal):
        return {"decimal": str(operand.value)}
    return {"value": operand.value}


def _operand_from_json(written: dict[str, Any]) -> Operand:
    if "path" in written:
        return Operand(path=tuple(written["path"].split(".")))
    if "decimal" in written:
        return Operand(value=Decimal(written["decimal"]))
    return Operand(value=written["value"])
