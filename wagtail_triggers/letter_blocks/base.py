"""What a block of a letter is, and where apps register theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext, pgettext_lazy
from wagtail import blocks
from wagtail.blocks.struct_block import BlockGroup

from oscar_triggers.registry import Registry

from .. import block_names
from .brands import Brand
from .sampling import filled
from .showing import asked, needs_number, showing_choices
from .texts import ColourBlock

#: Fields that every block has behind its cog.
COG = ("align", "background", "space_above", "space_below", "shown_to", "shown_number")
#: In pixels.
SPACES = [
    ("0", pgettext_lazy("triggers", "none")),
    ("8", pgettext_lazy("triggers", "little")),
    ("16", pgettext_lazy("triggers", "some")),
    ("32", pgettext_lazy("triggers", "much")),
    ("56", pgettext_lazy("triggers", "very much")),
]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a block is written: in whose looks, in which language, in a column or not."""

    brand: Brand
    language: str
    #: "ltr" or "rtl".
    direction: str = "ltr"
    #: Whether a background of the author's own is behind it: then dark mode changes nothing.
    has_background: bool = False

    @property
    def start(self) -> str:
        """Return the side on which a line begins."""
        return "right" if self.direction == "rtl" else "left"

    @property
    def end(self) -> str:
        """Return the side on which a line ends."""
        return "left" if self.direction == "rtl" else "right"


class LetterBlock(blocks.StructBlock):
    """One kind of block: its fields, and the `.mjml` template that they fill.

    The template writes what stands in a column (`<mj-text>`, `<mj-button>` …), or, where
    `is_section` is set, the columns of a section. It is a Django template; `{% load letter_tags %}` brings `{% merge %}` and `{% logic %}`, which write
    merge tags. `value` has the fields, ready to stand in text and in attributes.
    """

    #: A promise that is kept in drafts.
    kind: ClassVar[str] = ""
    #: Whether it writes columns of its own, and not what stands in one.
    is_section: ClassVar[bool] = False
    #: Whether its words carry no class by which dark mode finds them.
    is_unmarked: ClassVar[bool] = False
    #: Whether nothing of the letter's card is around it, as around a footer.
    is_outside: ClassVar[bool] = False
    #: A merge path without which there is nothing to show, as "basket.lines".
    needs: ClassVar[str] = ""
    #: Fields of its own that stand behind the cog.
    cog: ClassVar[tuple[str, ...]] = ()

    align = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Align"),
        required=False,
        choices=[
            ("start", pgettext_lazy("triggers", "at the beginning of the line")),
            ("center", pgettext_lazy("triggers", "in the middle")),
            ("end", pgettext_lazy("triggers", "at the end of the line")),
        ],
    )
    background = ColourBlock(label=pgettext_lazy("triggers", "Background colour"))
    space_above = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Space above"), choices=SPACES, default="0", required=False
    )
    space_below = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Space below"), choices=SPACES, default="16", required=False
    )
    shown_to = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Show only to those"),
        required=False,
        choices=showing_choices,
        help_text=pgettext_lazy("triggers", "Empty: to everybody."),
    )
    shown_number = blocks.DecimalBlock(
        label=pgettext_lazy("triggers", "Number or amount"), required=False
    )

    def __init__(self, *args: Any, in_column: bool = False, **kwargs: Any) -> None:
        self.in_column = in_column
        super().__init__(*args, **kwargs)
        if self.kind:
            block_names.register(self, f"letter-block-{self.kind}")

    def get_form_layout(self) -> BlockGroup:
        """Put what every block has, and what a block names in `cog`, behind the cog."""
        if self.in_column:
            # A column has one background; what stands in it has none.
            self.child_blocks.pop("background", None)
        if self.meta.form_layout is not None:
            return super().get_form_layout()
        behind = [name for name in (*self.cog, *COG) if name in self.child_blocks]
        return BlockGroup(
            [name for name in self.child_blocks if name not in behind], settings=behind
        )

    def clean(self, value: Any) -> Any:
        """Ask for the number that a question needs, when it is published."""
        cleaned = super().clean(value)
        if self.is_deferred_validation:
            return cleaned
        if needs_number(cleaned.get("shown_to") or "") and cleaned.get("shown_number") is None:
            raise blocks.StructBlockValidationError(
                block_errors={"shown_number": _error(pgettext("triggers", "Write a number."))}
            )
        return cleaned

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return what the template gets beside `value`, `brand` and `start`."""
        return {}

    def to_mjml(self, value: Mapping[str, Any], around: Surroundings) -> SafeString:
        """Return the block's own MJML."""
        template = getattr(self.meta, "template", None)
        if not template:
            raise ImproperlyConfigured(f"{type(self).__name__} needs a Meta.template.")
        align = {"start": around.start, "end": around.end, "center": "center"}.get(
            value.get("align") or "start", around.start
        )
        keeps = around.has_background or bool(value.get("background"))
        context = {
            # Classes by which dark mode finds words and lines.
            **{name: "own" if keeps else name for name in ("ink", "muted", "rule")},
            "value": ready(self, value),
            "brand": around.brand,
            "language": around.language,
            "align": align,
            "start": around.start,
            "end": around.end,
            **self.letter_values(value, around),
        }
        return mark_safe(render_to_string(template, context))  # noqa: S308 - autoescaped

    def get_preview_value(self) -> Any:
        """Return a sample: what `Meta.preview_value` says, and the other fields by what they are."""
        return filled(self, getattr(self.meta, "preview_value", None) or {}, (*self.cog, *COG))

    def get_preview_template(self, value: Any, context: Any = None) -> str:
        """Return the page of the picker's preview, which frames the compiled block."""
        return "wagtail_triggers/block_preview.html"

    def get_preview_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        """Return where the compiled block is: an answer of its own, with a policy of its own."""
        address = reverse("wagtail_triggers:block_preview", args=[self.kind])
        return {**(parent_context or {}), "address": address}

    def warnings(self, value: Mapping[str, Any]) -> list[str]:
        """Return what keeps nobody from publishing, and is worth a look."""
        return []

    def condition(self, value: Mapping[str, Any]) -> str:
        """Return what stands in the `{% if %}` around the block; "" for none."""
        asks = [self.needs, asked(value.get("shown_to") or "", value.get("shown_number"))]
        return " and ".join(one for one in asks if one)


def ready(block: blocks.Block, value: Any) -> Any:
    """Return a value of a block as its template shows it: texts with their merge tags."""
    if hasattr(block, "to_letter"):
        return block.to_letter(value)
    if isinstance(block, blocks.BaseStructBlock):
        value = value or {}
        return {name: ready(child, value.get(name)) for name, child in block.child_blocks.items()}
    if isinstance(block, blocks.ListBlock):
        return [ready(block.child_block, one) for one in value or ()]
    return value


def _error(message: str) -> Any:
    from django.core.exceptions import ValidationError

    return ValidationError(message)


registry: Registry[type[LetterBlock]] = Registry("letter block")

B = TypeVar("B", bound=type[LetterBlock])


def register(block_class: B) -> B:
    """Register a block under its kind (a class decorator)."""
    if not block_class.kind:
        raise ImproperlyConfigured(f"{block_class.__name__} needs a `kind`.")
    registry.add(block_class.kind, block_class)
    return block_class
