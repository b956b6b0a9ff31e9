"""Forms as a browser sees them: read from a page, filled in, ready to be sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Buttons send their value only when they are pressed.
_NOT_SENT = frozenset({"submit", "button", "reset", "image", "file"})


@dataclass(kw_only=True)
class Form:
    """One form of a page, with what a browser would send if it were sent untouched."""

    action: str = ""
    values: dict[str, str] = field(default_factory=dict)
    #: {name of an unticked box: the value that ticking it sends}
    boxes: dict[str, str] = field(default_factory=dict)

    def filled(
        self, fields: dict[str, str] | None = None, *, tick: Iterable[str] = ()
    ) -> dict[str, str]:
        """Return what is sent; raises LookupError for a field or box that the form lacks."""
        fields = fields or {}
        unknown = [name for name in fields if name not in self.values]
        unknown += [name for name in tick if name not in self.boxes]
        if unknown:
            raise LookupError(f"the form has no {', '.join(unknown)}")
        return {**self.values, **fields, **{name: self.boxes[name] for name in tick}}


def forms_of(html: str) -> list[Form]:
    """Return the forms of a page in their order."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(action=told.get("action", ""))
            self.forms.append(self._open)
        elif self._open is None:
            return
        elif tag == "input":
            self._input(self._open, told, {name for name, _value in attrs})
        elif tag == "textarea":
            self._open.values[told.get("name", "")] = ""
        elif tag == "select":
            self._select = told.get("name", "")
            self._open.values[self._select] = ""
        elif tag == "option" and self._select:
            chosen = "selected" in told or not self._open.values[self._select]
            if chosen and "disabled" not in told:
                self._open.values[self._select] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""

    def _input(self, form: Form, told: dict[str, str], flags: set[str]) -> None:
        name, kind = told.get("name", ""), told.get("type", "text").lower()
        if not name or kind in _NOT_SENT:
            return
        if kind in ("checkbox", "radio") and "checked" not in flags:
            form.boxes.setdefault(name, told.get("value", "on"))
            if kind == "radio":
                form.values.setdefault(name, "")
            return
        form.values[name] = told.get("value", "on" if kind == "checkbox" else "")
