"""What commands that read flows and letters from files share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.core.management.base import CommandError
from django.db import transaction

from ..content import presets
from ..content.files import read_letter_file
from ..content.presets import PREFIX, Preset
from ..engine import templates
from ..exceptions import Problem, ProblemsError, TemplateError
from ..models import Flow, Owner, TemplateVersion
from ..models.sql import database_for

FLOWS = (".yaml", ".yml", ".json")
LETTERS = (".mjml", ".txt")


#: Stands for every preset where nothing is published by it.
EVERY_PRESET = "presets"


def paths_of(names: Sequence[str]) -> list[Path]:
    """Return the files that are meant: preset:NAME is one that ships, a folder all that is in it.

    Raises CommandError for a file that is not there, or is neither a flow nor a letter, for a
    folder without any, and for a preset that does not ship.
    """
    paths: list[Path] = []
    for name in names:
        if name == EVERY_PRESET or name.startswith(PREFIX):
            named = presets.every() if name == EVERY_PRESET else presets_of([name])
            # Two flows may name one letter.
            paths += [path for one in named for path in one.paths if path not in paths]
            continue
        path = Path(name)
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file())
            # A note beside the flows, as README.txt, names no language.
            letters = [
                one
                for one in inside
                if one.suffix in LETTERS and (one.suffix != ".txt" or "." in one.stem)
            ]
            flows = [one for one in inside if one.suffix in FLOWS]
            if not letters and not flows:
                raise CommandError(f"There is neither a letter nor a flow in {name}.")
            paths += [*letters, *flows]
            continue
        if not path.is_file():
            raise CommandError(f"There is no file {name}.")
        if path.suffix not in (*LETTERS, *FLOWS):
            raise CommandError(
                f"{name}: expected a letter (.mjml), a text (.txt) or a flow (.yaml, .json)."
            )
        paths.append(path)
    return paths


def presets_of(names: Iterable[str]) -> list[Preset]:
    """Return the presets of these names; raises CommandError with what ships for another."""
    found = []
    for name in names:
        preset = presets.find(name)
        if preset is None:
            said = name.removeprefix(PREFIX)
            raise CommandError(f"No preset is called {said}. These ship:\n{list_of_presets()}")
        found.append(preset)
    return found


def list_of_presets() -> str:
    """Return what ships, a line for each: how it is named, and what it does."""
    return "\n".join(f"  {PREFIX}{preset.name}  {preset.about}" for preset in presets.every())


def publish_letter(path: Path, now: datetime, *, take_over: bool) -> TemplateVersion:
    """Publish a letter file; raises ProblemsError, OSError or UnicodeDecodeError."""
    key, _dot, language = path.stem.rpartition(".")
    if not key:
        raise TemplateError(
            [
                Problem(
                    message=f"name it KEY.LANGUAGE{path.suffix}, as in welcome.en{path.suffix}",
                    where="file",
                )
            ]
        )
    letter = read_letter_file(path.read_text(encoding="utf-8"), language)
    return templates.publish(
        key,
        letter.name,
        letter.source,
        owner=Owner.FILE,
        now=now,
        channel=letter.channel,
        take_over=take_over,
    )


def problems_in(error: Exception) -> list[Problem]:
    """Return what a refused file says."""
    if isinstance(error, ProblemsError):
        return list(error.problems)
    said = "save the file as UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return [Problem(message=said, where="file")]


@contextmanager
def taken_back() -> Iterator[None]:
    """Undo everything at the end: a flow may need a letter that is among the same files."""
    alias = database_for(Flow)
    with transaction.atomic(using=alias):
        yield
        transaction.set_rollback(True, using=alias)
