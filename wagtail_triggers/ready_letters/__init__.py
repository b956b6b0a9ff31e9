"""Letters made of blocks that ship, each in the languages that it was written in.

NAME.LANGUAGE.json beside this module holds one: what it is called, what it does, its subject and
preheader, and its blocks as drafts keep them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import get_language

from oscar_triggers.models import Template

from ..letter_blocks import letter_stream
from ..models import TemplateDraft

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Words:
    """A ready letter in one language."""

    name: str
    about: str
    subject: str
    preheader: str
    blocks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class ReadyLetter:
    """A letter that ships, in every language that it has."""

    name: str
    words: Mapping[str, Words]

    @property
    def language(self) -> str:
        """Return the language in which the reader of the admin is told of it."""
        return preferred(self.words)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of its blocks, from top to bottom, of those all that everybody sees."""
        return tuple(
            str(block["type"])
            for block in self.words[self.language].blocks
            if not block["value"].get("shown_to")
        )


def every() -> list[ReadyLetter]:
    """Return all that ship, by what the reader's language calls them."""
    names = {path.stem.rpartition(".")[0] for path in FOLDER.glob("*.json")}
    return sorted(
        (_read(name) for name in names), key=lambda one: one.words[one.language].name.lower()
    )


def find(name: str) -> ReadyLetter | None:
    """Return the one of a name; None where none ships under it."""
    return next((one for one in every() if one.name == name), None)


def preferred(languages: Iterable[str]) -> str:
    """Return the reader's language where it is offered, else the shop's, English, or any."""
    offered = list(languages)
    for wanted in (get_language() or "", settings.LANGUAGE_CODE, "en"):
        for code in (wanted, wanted.partition("-")[0]):
            if code in offered:
                return code
    return offered[0]


def make_drafts(letter: ReadyLetter, by: Any = None) -> dict[str, TemplateDraft]:
    """Make a draft of each language that the shop writes, under a key that is free; by language.

    Raises nothing where two people ask at once: the second letter gets the next key.
    """
    base = f"{letter.name}-letter"
    for number in count(1):
        key = base if number == 1 else f"{base}-{number}"
        if _is_taken(key):
            continue
        try:
            with transaction.atomic():
                return {
                    language: _draft(words, key, language, number, by)
                    for language, words in in_shops_languages(letter).items()
                }
        except IntegrityError:
            if not _is_taken(key):
                raise
    raise AssertionError("counting does not end")


def in_shops_languages(letter: ReadyLetter) -> dict[str, Words]:
    """Return the words by the shop's own code of each language; English where it has none of them."""
    codes = list(dict(settings.LANGUAGES))
    found: dict[str, Words] = {}
    for language, words in letter.words.items():
        regional = (code for code in codes if code.partition("-")[0] == language)
        code = language if language in codes else next(regional, "")
        if code:
            found[code] = words
    return found or {"en": letter.words["en"]}


def _is_taken(key: str) -> bool:
    return (
        TemplateDraft.objects.filter(key=key).exists() or Template.objects.filter(key=key).exists()
    )


def _draft(words: Words, key: str, language: str, number: int, by: Any) -> TemplateDraft:
    draft = TemplateDraft(
        key=key,
        language=language,
        name=words.name if number == 1 else f"{words.name} {number}",
        subject=words.subject,
        preheader=words.preheader,
        blocks=letter_stream().to_python(list(words.blocks)),
        live=False,
    )
    draft.save()
    draft.save_revision(user=by, log_action=True)
    return draft


def _read(name: str) -> ReadyLetter:
    words = {}
    for path in sorted(FOLDER.glob(f"{name}.*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        words[path.stem.rpartition(".")[2]] = Words(**{**raw, "blocks": tuple(raw["blocks"])})
    return ReadyLetter(name=name, words=words)
