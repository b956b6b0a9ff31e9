"""The flows that ship, each with the letters it names; none lives before it is asked for by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..definitions import FlowDefinition, read_flow_file

FOLDER = Path(__file__).resolve().parents[1] / "presets"
#: How a command names one: "preset:abandoned-basket".
PREFIX = "preset:"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One flow that ships."""

    name: str
    path: Path
    definition: FlowDefinition
    #: What it does, in one English sentence: the first of the comment its file begins with.
    about: str
    #: KEY.LANGUAGE.mjml of every letter that its steps name.
    letters: tuple[Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return its files, in the order in which they can be published."""
        return (*self.letters, self.path)


def find(name: str) -> Preset | None:
    """Return the preset of a name, with or without PREFIX; None where none ships under it."""
    path = FOLDER / f"{name.removeprefix(PREFIX)}.yaml"
    return _read(path) if path in _flows() else None


def every() -> Iterator[Preset]:
    """Yield all that ship, by name."""
    yield from (_read(path) for path in _flows())


def _flows() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


@cache
def _read(path: Path) -> Preset:
    """Read a preset; what ships stays the same for as long as the process runs."""
    text = path.read_text(encoding="utf-8")
    definition = read_flow_file(text)
    named = {step.options.get("template") for step, *_rest in definition.walk()}
    return Preset(
        name=path.stem,
        path=path,
        definition=definition,
        about=_first_sentence(text),
        letters=tuple(
            letter
            for letter in sorted((FOLDER / "letters").glob("*.mjml"))
            if letter.stem.rpartition(".")[0] in named
        ),
    )


def _first_sentence(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    sentence, dot, _rest = " ".join(lines).partition(". ")
    return sentence + dot.strip()
