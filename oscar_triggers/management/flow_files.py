"""What commands that read flows and letters from files share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.core.management.base import CommandError
from django.db import transaction

from ..content.files import read_letter_file
from ..engine import templates
from ..exceptions import Problem, ProblemsError, TemplateError
from ..models import Flow, Owner, TemplateVersion
from ..models.sql import database_for

PRESETS = Path(__file__).resolve().parents[1] / "presets"
FLOWS = (".yaml", ".yml", ".json")
LETTERS = (".mjml",)


def paths_of(names: Sequence[str]) -> list[Path]:
    """Return the files that are meant; 'presets' is all that ships, a folder all that is in it.

    Raises CommandError for a file that is not there, or is neither a flow nor a letter, and for a
    folder without any.
    """
    paths: list[Path] = []
    for name in names:
        path = PRESETS if name == "presets" else Path(name)
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file())
            letters = [one for one in inside if one.suffix in LETTERS]
            flows = [one for one in inside if one.suffix in FLOWS]
            if not letters and not flows:
                raise CommandError(f"There is neither a letter nor a flow in {name}.")
            paths += [*letters, *flows]
            continue
        if not path.is_file():
            raise CommandError(f"There is no file {name}.")
        if path.suffix not in (*LETTERS, *FLOWS):
            raise CommandError(f"{name}: expected a letter (.mjml) or a flow (.yaml, .json).")
        paths.append(path)
    return paths


def publish_letter(path: Path, now: datetime, *, take_over: bool) -> TemplateVersion:
    """Publish a letter file; raises ProblemsError, OSError or UnicodeDecodeError."""
    key, _dot, language = path.stem.rpartition(".")
    if not key:
        raise TemplateError(
            [Problem(message="name it KEY.LANGUAGE.mjml, as in welcome.en.mjml", where="file")]
        )
    letter = read_letter_file(path.read_text(encoding="utf-8"), language)
    return templates.publish(
        key, letter.name, letter.source, owner=Owner.FILE, now=now, take_over=take_over
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
