"""A table for a terminal: cells that wrap, rows that stay together."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence


def drawn(heads: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> str:
    """Return a table with columns of these widths; a cell's own line ends are kept."""
    rule = "─┼─".join("─" * width for width in widths)
    lines = [*_row(heads, widths), rule]
    for row in rows:
        lines += [*_row(row, widths), rule]
    return "\n".join(line.rstrip() for line in lines)


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(len(lines) for lines in wrapped)
    return [
        " │ ".join(
            (lines[number] if number < len(lines) else "").ljust(width)
            for lines, width in zip(wrapped, widths, strict=True)
        )
        for number in range(height)
    ]


def _wrapped(cell: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in cell.splitlines():
        indent = "  " if line.startswith("  ") else ""
        lines += textwrap.wrap(line, width, subsequent_indent=indent) or [""]
    return lines or [""]
