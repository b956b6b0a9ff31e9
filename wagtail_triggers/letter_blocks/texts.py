"""Plain texts of blocks: what an author wrote becomes MJML, with merge tags where they stand."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import pgettext
from wagtail import blocks

from oscar_triggers.content import grammar, tags
from oscar_triggers.content.nodes import Literal
from oscar_triggers.exceptions import Problem

from ..widgets import ColourInput, MergeTextInput


def text_problems(text: str, where: str = "") -> list[Problem]:
    """Return what is wrong with the merge tags of a text of a block.

    Choices and repetitions are a block's own: `{% if %}` and `{% for %}` are no text.
    """
    problems: list[Problem] = []
    pieces = grammar.read(text, where=where, problems=problems)
    for piece in pieces:
        if not isinstance(piece, Literal) and piece.output is None:
            message = pgettext(
                "triggers",
                "%(tag)s is not possible in a block; choose in its settings to whom it is shown",
            )
            problems.append(
                Problem(
                    where=where,
                    line=piece.line,
                    message=message % {"tag": grammar.shorten(piece.source)},
                )
            )
        elif not isinstance(piece, Literal) and _is_list(piece):
            message = pgettext("triggers", "%(tag)s is a list; add the block that shows it")
            problems.append(
                Problem(
                    where=where,
                    line=piece.line,
                    message=message % {"tag": grammar.shorten(piece.source)},
                )
            )
    values = [piece for piece in pieces if isinstance(piece, Literal) or piece.output is not None]
    tags.check_paths(values, tags.known_paths(), where=where, problems=problems)
    return problems


def _is_list(tag: grammar.Tag) -> bool:
    path = ".".join(tag.output.path) if tag.output is not None else ""
    return path not in tags.registry and path in tags.known_paths()


def refuse_broken_tags(text: str) -> None:
    """Raise ValidationError with each problem of a text's merge tags."""
    problems = text_problems(text)
    if problems:
        raise ValidationError([capfirst(problem.message) for problem in problems])


def written(text: str) -> SafeString:
    """Return an author's text as it stands in MJML: escaped, merge tags as they are.

    What can be read as no tag, or is none that a block may hold, stands there as text.
    """
    parts: list[str] = []
    for piece in grammar.read(text, where="", problems=[]):
        if isinstance(piece, Literal):
            parts.append(as_text(piece.text))
        elif piece.output is not None and not _is_list(piece):
            parts.append(piece.source)
    return mark_safe("".join(parts))  # noqa: S308 - escaped piece by piece


def as_text(text: str) -> str:
    """Return text that is escaped, and in which nothing is read as a merge tag."""
    return escape(text).replace("{", "&#123;").replace("}", "&#125;")


class MergeTextBlock(blocks.CharBlock):
    """One line that may say personal data."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.field.widget = MergeTextInput()

    def clean(self, value: Any) -> Any:
        """Refuse to publish merge tags that are not known, and keep them in a draft."""
        cleaned = super().clean(value)
        if not self.is_deferred_validation:
            refuse_broken_tags(str(cleaned or ""))
        return cleaned

    def to_letter(self, value: Any) -> SafeString:
        """Return the text as it stands in MJML."""
        return written(str(value or ""))


class ColourBlock(blocks.RegexBlock):
    """A colour as #rrggbb; empty for the brand's."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        super().__init__(
            regex=r"\A#[0-9a-fA-F]{6}\Z",
            error_messages={
                "invalid": pgettext("triggers", "Write a colour as # and six digits: #14532d.")
            },
            **kwargs,
        )
        self.field.widget = ColourInput()
