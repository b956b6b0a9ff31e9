"""Rich text of blocks: Draftail's HTML becomes a letter's, with merge tags and whole addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from wagtail import blocks

from . import pages
from .texts import as_text, refuse_broken_tags, text_problems, written

#: What Draftail offers: what every mailbox shows.
FEATURES = ["h3", "bold", "italic", "ol", "ul", "link", "merge"]

_KEPT = {"b", "em", "h2", "h3", "h4", "i", "li", "ol", "p", "strong", "ul"}
_STYLES = {
    "p": "margin:0 0 12px",
    "ul": "margin:0 0 12px;padding:0 0 0 24px",
    "ol": "margin:0 0 12px;padding:0 0 0 24px",
    "h3": "margin:0 0 8px;font-size:19px;line-height:26px",
}
MERGE = "merge"


def merge_tag(path: str, default: str) -> str:
    """Return a merge tag as it is written; quotes cannot stand in what it falls back on."""
    fallback = default.replace('"', "”").strip()
    return f'{{{{ {path}|default:"{fallback}" }}}}' if fallback else f"{{{{ {path} }}}}"


class MergeRichTextBlock(blocks.RichTextBlock):
    """Paragraphs that may say personal data."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("features", FEATURES)
        super().__init__(**kwargs)

    @cached_property
    def field(self) -> Any:
        """Return the form field; its editor says its name to a screen reader."""
        field = super().field
        # Wagtail's label points to a hidden field, and not to where people write.
        field.widget.options["ariaLabel"] = self.label
        return field

    def clean(self, value: Any) -> Any:
        """Refuse to publish merge tags that are not known, and keep them in a draft."""
        cleaned = super().clean(value)
        if not self.is_deferred_validation and cleaned is not None:
            soup = _read(cleaned.source)
            refuse_broken_tags(soup.get_text())
            problems = [
                problem
                for element in soup.find_all("a", linktype=MERGE)
                for problem in text_problems(_of_entity(element))
            ]
            if problems:
                raise ValidationError([capfirst(problem.message) for problem in problems])
        return cleaned

    def to_letter(self, value: Any) -> SafeString:
        """Return the text as it stands in MJML."""
        return letter_html(value.source if value is not None else "")


def letter_html(source: str) -> SafeString:
    """Return stored rich text as HTML of a letter: what is not known is left out, its text stays."""
    return mark_safe("".join(_written(_read(source).children)))  # noqa: S308 - built piece by piece


def _read(source: str) -> BeautifulSoup:
    return BeautifulSoup(source or "", "html.parser")


def _of_entity(element: Tag) -> str:
    return merge_tag(str(element.get("data-merge", "")), str(element.get("data-default", "")))


def _written(nodes: Iterable[Any]) -> Iterable[str]:
    for node in nodes:
        if isinstance(node, Tag):
            yield _element(node)
        elif type(node) is NavigableString:
            # Comments and their kin are other classes of the same family.
            yield written(str(node))


def _element(element: Tag) -> str:
    name = element.name
    inner = "".join(_written(element.children))
    if name == "br":
        return "<br />"
    if name == "a":
        return _link(element, inner)
    if name not in _KEPT:
        return inner
    style = f' style="{_STYLES[name]}"' if name in _STYLES else ""
    return f"<{name}{style}>{inner}</{name}>"


def _link(element: Tag, inner: str) -> str:
    kind = element.get("linktype", "")
    if kind == MERGE:
        # A tag that nobody knows says nothing; publishing names it.
        tag = _of_entity(element)
        return "" if text_problems(tag) else tag
    address = (
        pages.address_of(str(element.get("id", ""))) if kind == "page" else str(element.get("href"))
    )
    if not address.lower().startswith(pages.SCHEMES):
        return inner
    return f'<a href="{as_text(address)}">{inner}</a>'
