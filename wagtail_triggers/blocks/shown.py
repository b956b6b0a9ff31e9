"""How a kind of step, condition or event looks in the picker, before anybody chooses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.text import capfirst
from wagtail import blocks

from oscar_triggers import conditions, events, steps
from oscar_triggers.kinds import Kind

from .. import block_names
from .options import option_label
from .ways import BRANCH_LABELS

_REGISTRIES: tuple[tuple[str, Any], ...] = (
    ("event", events.registry),
    ("condition", conditions.registry),
    ("step", steps.registry),
)


class ShownKind(blocks.StaticBlock):
    """The page behind a kind's eye in the picker: what is set in it, and which ways lead on."""

    def __init__(self, shown: type[Kind], options: type[Kind], **kwargs: Any) -> None:
        super().__init__(label=label_of(shown), **kwargs)
        self.shown, self.options = shown, options

    def get_preview_template(self, value: Any, context: Any = None) -> str:
        """Return a page that draws the kind as the diagram of a flow does."""
        return "wagtail_triggers/desk/kind.html"

    def get_preview_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        """Return the kind's name, the fields that are set, and the names of its ways."""
        return {
            **(parent_context or {}),
            "label": self.label,
            "settings": [option_label(option) for option in self.options.option_fields()],
            "ways": [
                BRANCH_LABELS.get(name, capfirst(name))
                for name in getattr(self.shown, "branches", ())
            ],
        }


class Pictured:
    """Shows its kind in the picker; mixed into the block of a kind."""

    #: Wagtail's answer depends on templates; this one is always there.
    is_previewable = True

    def pictured(self, shown: type[Kind]) -> Any:
        """Lead the picker to the kind's page, and return the block itself."""
        block_names.rename(self, name_of(shown))
        return self


def label_of(shown: type[Kind]) -> str:
    """Return what a kind is called."""
    return capfirst(shown.label or shown.kind.replace("_", " "))


def name_of(shown: type[Kind]) -> str:
    """Return the name by which the picker asks for a kind's page, the same in every process."""
    sort = next(name for name, registry in _REGISTRIES if shown in dict(registry.items()).values())
    return f"triggers-{sort}-{shown.kind}"


def register_shown() -> None:
    """Make the page of every kind known to Wagtail."""
    for _sort, registry in _REGISTRIES:
        _register(found for _kind, found in registry.items())


def _register(kinds: Iterable[type[Kind]]) -> None:
    for shown in kinds:
        block = ShownKind(shown, getattr(shown, "options_class", shown))
        block_names.register(block, name_of(shown))
