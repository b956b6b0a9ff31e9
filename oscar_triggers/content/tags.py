"""Merge tags: which values letters may use, what they are called, and samples for previews."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import pgettext, pgettext_lazy

from ..conf import site_settings
from ..exceptions import Problem
from ..registry import Registry
from .grammar import LOOP_FACTS, Piece, Tag, shorten

#: What a bundle is about, thing by thing: {% for item in items %}{{ item.basket.total }}.
ITEMS = "items"

_LIST_MARK = re.compile(r"\[\]")


@dataclass(frozen=True, kw_only=True)
class MergeTag:
    """One value that letters may say.

    What repeats is written with brackets: `basket.lines[].title` is the title of each line, and
    its sample is a list with one value for each sample line.
    """

    path: str
    label: Any
    #: Heading under which an editor finds it.
    group: Any
    #: A plain value, or a function from a language code to one.
    sample: Any
    #: Types of `about` for which it has a value; empty for every letter.
    about_types: frozenset[str] = field(default_factory=frozenset)

    def sample_in(self, language: str) -> Any:
        """Return the sample for previews in a language."""
        sample: Callable[[str], Any] | Any = self.sample
        return sample(language) if callable(sample) else sample


registry: Registry[MergeTag] = Registry("merge tag")


def register_tags(tags: Iterable[MergeTag]) -> None:
    """Register merge tags; the same path again must mean the same thing."""
    for tag in tags:
        present = registry.get(tag.path) if tag.path in registry else None
        registry.add(tag.path, present if present == tag and present is not None else tag)


#: Paths that name one thing by its number, as chosen.p12.price, by the room that fills them.
numbered: Registry[re.Pattern[str]] = Registry("path with a number")


def register_numbered(name: str, pattern: re.Pattern[str]) -> None:
    """Register a pattern of paths that blocks write and no author has to know."""
    present = numbered.get(name) if name in numbered else None
    numbered.add(name, present if present == pattern and present is not None else pattern)


def is_numbered(path: str) -> bool:
    """Say whether a path names a thing by its number, in a way that somebody fills."""
    return any(pattern.fullmatch(path) for pattern in numbered.values())


def known_paths() -> frozenset[str]:
    """Return every registered path, and the lists that registered paths go through."""
    return with_lists(registry)


def with_lists(paths: Iterable[str]) -> frozenset[str]:
    """Return paths and the lists that they go through: `basket.lines` for each of its lines.

    Whatever a letter says of one thing, a bundle says of each: `items[].basket.lines[].title`.
    """
    known = set(paths)
    known.update(f"{ITEMS}[].{path}" for path in paths_of_things(known))
    for path in list(known):
        known.update(path[: match.start()] for match in _LIST_MARK.finditer(path))
    return frozenset(known)


def paths_of_things(paths: Iterable[str]) -> list[str]:
    """Return those of these paths that are about the thing of a letter, not about all letters."""
    common = {tag.path.partition(".")[0] for tag in COMMON} | {ITEMS}
    return [path for path in paths if path.partition(".")[0] not in common]


def tags_for(about_type: str) -> list[MergeTag]:
    """Return the tags that a letter about such a thing may use."""
    return [
        tag for tag in registry.values() if not tag.about_types or about_type in tag.about_types
    ]


def samples(about_type: str, language: str) -> dict[str, Any]:
    """Return values for a preview, shaped like those that letters are filled with."""
    values: dict[str, Any] = {}
    for tag in tags_for(about_type):
        _place(values, tag.path.split("."), tag.sample_in(language))
    things = {path.partition(".")[0].removesuffix("[]") for path in paths_of_things(registry)}
    values.setdefault(ITEMS, [{name: values[name] for name in values if name in things}])
    return values


def _place(values: dict[str, Any], parts: list[str], sample: Any) -> None:
    name, rest = parts[0], parts[1:]
    if not name.endswith("[]"):
        if rest:
            _place(values.setdefault(name, {}), rest, sample)
        else:
            values[name] = sample
        return
    items = values.setdefault(name[:-2], [])
    for position, item in enumerate(sample):
        if not rest:
            items.append(item)
            continue
        if position == len(items):
            items.append({})
        _place(items[position], rest, item)


def check_paths(
    pieces: Iterable[Piece], known: Iterable[str], *, where: str, problems: list[Problem]
) -> None:
    """Add a problem for each path of a text that no registered tag has."""
    checker = _PathChecker(frozenset(known), where, problems)
    for piece in pieces:
        if isinstance(piece, Tag):
            checker.visit(piece)


class _PathChecker:
    """Follows loops through a flat text, so that `line.title` is known as `lines[].title`."""

    def __init__(self, known: frozenset[str], where: str, problems: list[Problem]) -> None:
        self.known = known
        self.where = where
        self.problems = problems
        self.loops: list[tuple[str, str]] = []
        self.roots = {path.partition(".")[0].removesuffix("[]") for path in known}

    def visit(self, tag: Tag) -> None:
        """Check one tag."""
        if tag.output is not None:
            self.check_said(tag.output.path, tag)
        elif tag.kind == "for":
            full = self.full(tag.path)
            if tag.variable in self.roots or any(tag.variable == name for name, _ in self.loops):
                self.problem(
                    tag,
                    pgettext("triggers", "%(tag)s: “%(name)s” is taken; choose another word"),
                    name=tag.variable,
                )
            if not any(path.startswith(f"{full}[]") for path in self.known):
                self.problem(
                    tag,
                    pgettext("triggers", "%(tag)s: “%(name)s” is no list; lists are %(lists)s"),
                    name=".".join(tag.path),
                    lists=", ".join(self.lists()) or "–",
                )
            self.loops.append((tag.variable, f"{full}[]"))
        elif tag.kind == "endfor" and self.loops:
            self.loops.pop()
        for comparison in (c for group in tag.condition or () for c in group):
            for operand in (comparison.left, comparison.right):
                if operand is not None and operand.path:
                    self.check(operand.path, tag)

    def lists(self) -> list[str]:
        """Return the known lists, as an author writes them at the top."""
        return sorted({p.partition("[]")[0] for p in self.known if "[]" in p})

    def full(self, path: tuple[str, ...]) -> str:
        """Return a path with its loop variable written out."""
        for variable, prefix in reversed(self.loops):
            if path[0] == variable:
                return ".".join((prefix, *path[1:]))
        return ".".join(path)

    def check_said(self, path: tuple[str, ...], tag: Tag) -> None:
        """Add a problem when a path is not known, or holds more than one value to say."""
        full = self.full(path)
        inside = sorted(name for name in self.known if name.startswith((f"{full}.", f"{full}[].")))
        if path[0] == "loop" or not inside:
            self.check(path, tag)
            return
        written = ".".join(path)
        items = [name for name in inside if name.startswith(f"{full}[].")]
        if items:
            variable = self.free_word(path[-1])
            value = f"{{{{ {variable}.{_said_first(items, f'{full}[].')} }}}}"
            self.problem(
                tag,
                pgettext(
                    "triggers", "%(tag)s: “%(name)s” is a list; repeat what you say: %(example)s"
                ),
                name=written,
                example=f"{{% for {variable} in {written} %}}{value}{{% endfor %}}",
            )
            return
        self.problem(
            tag,
            pgettext("triggers", "%(tag)s: “%(name)s” holds several values; name one: %(example)s"),
            name=written,
            example=f"{{{{ {written}.{_said_first(inside, f'{full}.')} }}}}",
        )

    def free_word(self, name: str) -> str:
        """Return a word for one thing of a list that nothing else is called: line of lines."""
        taken = self.roots | {word for word, _ in self.loops}
        one = name.removesuffix("s")
        words = (one if one != name else "item", "item", "one", f"one_{name}")
        return next((word for word in words if word not in taken), words[-1])

    def check(self, path: tuple[str, ...], tag: Tag) -> None:
        """Add a problem when no tag has this path."""
        if path[0] == "loop":
            if not self.loops or ".".join(path) not in LOOP_FACTS:
                self.problem(
                    tag,
                    pgettext("triggers", "%(tag)s: inside a for there are %(facts)s"),
                    facts=", ".join(LOOP_FACTS),
                )
            return
        full = self.full(path)
        if full in self.known or is_numbered(full):
            return
        written = ".".join(path)
        near = difflib.get_close_matches(full, self.known, n=1)
        if near:
            message = pgettext(
                "triggers", "%(tag)s: “%(name)s” is not known; did you mean %(near)s?"
            )
        else:
            message = pgettext(
                "triggers", "%(tag)s: “%(name)s” is not known; choose a merge tag from the list"
            )
        self.problem(tag, message, name=written, near=near[0] if near else "")

    def problem(self, tag: Tag, message: str, **values: str) -> None:
        """Add a problem at a tag."""
        text = message % {"tag": shorten(tag.source), **values}
        self.problems.append(Problem(where=self.where, line=tag.line, message=text))


def _said_first(paths: Iterable[str], prefix: str) -> str:
    """Return what an example says of the things at these paths: their title, where they have one."""
    names = [path.removeprefix(prefix) for path in paths]
    plain = [name for name in names if "[]" not in name] or ["…"]
    return next((name for name in ("title", "name") if name in plain), plain[0])


def _shop_name(language: str) -> str:
    return site_settings(None).shop_name or "Example shop"


def _shop_url(language: str) -> str:
    return site_settings(None).base_url or "https://shop.example"


def _postal_address(language: str) -> str:
    return site_settings(None).postal_address or "1 High Street, Example"


_CONTACT = pgettext_lazy("triggers", "Recipient")
_SHOP = pgettext_lazy("triggers", "Shop")
_LINKS = pgettext_lazy("triggers", "Links")

#: What the engine says in every letter.
COMMON: tuple[MergeTag, ...] = (
    MergeTag(
        path="contact.first_name",
        label=pgettext_lazy("triggers", "First name"),
        group=_CONTACT,
        sample="Sasha",
    ),
    MergeTag(
        path="contact.last_name",
        label=pgettext_lazy("triggers", "Last name"),
        group=_CONTACT,
        sample="Petrova",
    ),
    MergeTag(
        path="shop.name",
        label=pgettext_lazy("triggers", "Name of the shop"),
        group=_SHOP,
        sample=_shop_name,
    ),
    MergeTag(
        path="shop.url",
        label=pgettext_lazy("triggers", "Address of the shop's home page"),
        group=_SHOP,
        sample=_shop_url,
    ),
    MergeTag(
        path="shop.postal_address",
        label=pgettext_lazy("triggers", "Postal address of the shop"),
        group=_SHOP,
        sample=_postal_address,
    ),
    MergeTag(
        path="links.basket",
        label=pgettext_lazy("triggers", "Link back to the basket"),
        group=_LINKS,
        sample=_shop_url,
        about_types=frozenset({"basket"}),
    ),
    MergeTag(
        path="links.unsubscribe",
        label=pgettext_lazy("triggers", "Link to unsubscribe"),
        group=_LINKS,
        sample=_shop_url,
    ),
    MergeTag(
        path="links.preferences",
        label=pgettext_lazy("triggers", "Link to what the reader waits for, and how to stop it"),
        group=_LINKS,
        sample=_shop_url,
    ),
)

register_tags(COMMON)
