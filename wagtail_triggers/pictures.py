"""Small pictures of flows: what starts them, and each step below it, drawn from the definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

from django.utils.text import Truncator, capfirst
from django.utils.translation import pgettext

from oscar_triggers import events, steps
from oscar_triggers.definitions import FlowDefinition, StepDefinition

from .outline import duration_in_words

#: Size of a node, and of the space around it.
WIDTH, HEIGHT, GAP = 210, 34, 14
#: How far a branch stands to the side, and where lines leave a box: at its sign.
INDENT, SIGN = 48, 19
#: So many rows are drawn; what follows is told in words beside the picture.
MOST_ROWS = 8
_LONGEST = 25

#: How a step is drawn, by its kind; others are plain.
_SHAPES = {
    "send": "letter",
    "wait": "wait",
    "wait_until_date": "wait",
    "wait_until_time": "wait",
    "wait_for_weekdays": "wait",
    "wait_for_event": "wait",
    "wait_for_condition": "wait",
    "branch": "branch",
    "split": "branch",
    "exit": "exit",
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One box of a picture."""

    x: int
    y: int
    text: str
    #: "start", "letter", "wait", "branch", "exit" or "step".
    shape: str
    #: The line that leads to it, as an SVG path; "" for the first.
    line: str = ""

    @property
    def text_x(self) -> int:
        """Return where its words begin: beside the sign."""
        return self.x + 34

    @property
    def text_y(self) -> int:
        """Return the line on which its words stand."""
        return self.y + HEIGHT // 2 + 4

    @property
    def sign_y(self) -> int:
        """Return the top of its sign."""
        return self.y + HEIGHT // 2 - 7


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The boxes of a flow, from top to bottom; branches stand to the side."""

    nodes: tuple[Node, ...]
    width: int
    height: int
    box_width: int = WIDTH
    box_height: int = HEIGHT


@dataclass(frozen=True, kw_only=True)
class _Box:
    text: str
    shape: str
    column: int
    #: The box that leads to it.
    parent: int | None


def picture_of(definition: FlowDefinition) -> Picture:
    """Return the picture of a flow."""
    boxes = [_Box(text=_event(definition.trigger), shape="start", column=0, parent=None)]
    for box in _boxes(definition.steps, column=0, parent=0, numbers=count(1)):
        if len(boxes) >= MOST_ROWS:
            break
        boxes.append(box)
    nodes = []
    for row, box in enumerate(boxes):
        place = partial(Node, x=_x(box.column), y=_y(row), text=_short(box.text), shape=box.shape)
        if box.parent is None:
            nodes.append(place())
            continue
        nodes.append(place(line=_line(boxes[box.parent], box.parent, box, row)))
    columns = max(box.column for box in boxes) + 1
    return Picture(
        nodes=tuple(nodes),
        width=_x(columns - 1) + WIDTH + 1,
        height=_y(len(boxes)) - GAP + 2,
    )


def _line(above: _Box, above_row: int, box: _Box, row: int) -> str:
    begin = f"M{_x(above.column) + SIGN} {_y(above_row) + HEIGHT}"
    if above.column == box.column:
        return f"{begin}V{_y(row)}"
    return f"{begin}V{_y(row) + HEIGHT // 2}H{_x(box.column)}"


def _boxes(
    found: Iterable[StepDefinition], *, column: int, parent: int, numbers: Iterator[int]
) -> Iterator[_Box]:
    """Yield the boxes of steps, those of a branch one column to the side."""
    for step in found:
        number = next(numbers)
        yield _Box(
            text=_words(step), shape=_SHAPES.get(step.kind, "step"), column=column, parent=parent
        )
        parent = number
        for children in step.branches.values():
            yield from _boxes(children, column=column + 1, parent=number, numbers=numbers)


def _words(step: StepDefinition) -> str:
    if step.kind == "send":
        return pgettext("triggers", "Letter")
    duration = step.options.get("duration")
    if step.kind == "wait" and isinstance(duration, str):
        return duration_in_words(duration)
    label = steps.registry.get(step.kind).label if step.kind in steps.registry else ""
    return str(capfirst(str(label or step.kind)))


def _event(kind: str) -> str:
    label = events.registry.get(kind).label if kind in events.registry else ""
    return str(capfirst(str(label or kind.replace("_", " "))))


def _short(text: str) -> str:
    return str(Truncator(text).chars(_LONGEST))


def _x(column: int) -> int:
    return 1 + column * INDENT


def _y(row: int) -> int:
    return 1 + row * (HEIGHT + GAP)
