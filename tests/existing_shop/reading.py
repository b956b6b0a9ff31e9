"""Reads what a page of the documentation tells people to type, and where."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"

_BLOCK = re.compile(
    r"^```\{code-block\} (?P<language>[\w+-]+)\n"
    r":caption: (?P<caption>[^\n]+)\n\n?"
    r"(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A code block with its caption: the file that it belongs to, or where to type it."""

    language: str
    caption: str
    body: str

    @property
    def commands(self) -> list[list[str]]:
        """Return the commands of a console block, as words."""
        lines = [line for line in self.body.splitlines() if line.startswith("$ ")]
        return [shlex.split(line[2:]) for line in lines]


def blocks(page: str) -> list[Block]:
    """Return the captioned code blocks of a page, from top to bottom."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [
        Block(language=m["language"], caption=m["caption"].strip(), body=m["body"].strip("\n"))
        for m in _BLOCK.finditer(text)
    ]
