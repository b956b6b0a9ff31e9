"""The house is in order: what every module keeps to, and no linter can say."""

from __future__ import annotations

import ast
import configparser
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("oscar_triggers", "wagtail_triggers")
MOST_LINES = 500

#: Methods whose meaning is Python's or Django's own.
_KNOWN_BY_NAME = re.compile(r"__\w+__\Z")
_MUTED = re.compile(r"#.*?\b(?P<what>noqa|type: ignore)(?P<rest>.*)")
_CODED = re.compile(r"(?::\s*|\[)[\w-]+(?:,\s*[\w-]+)*\]?(?P<reason>.*)")
_NAMED_MIGRATION = re.compile(r"\d{4}_[a-z0-9_]+\Z")


@cache
def modules() -> list[Path]:
    """Return the modules of the two packages, without migrations."""
    return sorted(
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    )


def all_python() -> list[Path]:
    """Return every Python file of the project."""
    return sorted(
        [path for name in (*PACKAGES, "sandbox", "tests", "docs", "benchmarks")
         for path in (ROOT / name).rglob("*.py")
         if not {"var", "_build"} & set(path.relative_to(ROOT).parts)]
        + [path for path in (ROOT / "manage.py", ROOT / "noxfile.py") if path.exists()]
    )  # fmt: skip


def name_of(path: Path) -> str:
    """Return a path as people write it."""
    return str(path.relative_to(ROOT))


def without_docstring(path: Path) -> Iterator[str]:
    """Yield what of a module is public and says nothing about itself."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    if source.strip() and ast.get_docstring(tree) is None:
        yield f"{name_of(path)}: the module"
    yield from _silent(tree, name_of(path), inside=None)


def _silent(node: ast.AST, where: str, *, inside: ast.ClassDef | None) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_"):
            continue
        overloaded = any("overload" in ast.dump(one) for one in child.decorator_list)
        if ast.get_docstring(child) is None and not overloaded and not _is_meta(child, inside):
            yield f"{where}:{child.lineno} {child.name}"
        if isinstance(child, ast.ClassDef) and not _is_meta(child, inside):
            yield from _silent(child, where, inside=child)


def _is_meta(node: ast.AST, inside: ast.ClassDef | None) -> bool:
    return inside is not None and isinstance(node, ast.ClassDef) and node.name == "Meta"


def muted(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, kind and rest of each comment that mutes a linter or the type checker."""
    reader = io.StringIO(path.read_text(encoding="utf-8")).readline
    for token in tokenize.generate_tokens(reader):
        if token.type == tokenize.COMMENT:
            for part in re.split(r"(?=#)", token.string):
                match = _MUTED.match(part)
                if match:
                    yield token.start[0], match["what"], token.string[token.string.index(part) :]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_longer_than_what_one_reads_at_a_sitting(package: str) -> None:
    long = {
        name_of(path): lines
        for path in modules()
        if path.is_relative_to(ROOT / package)
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) >= MOST_LINES
    }
    assert long == {}, f"split these; fewer than {MOST_LINES} lines each"


def test_everything_public_says_what_it_is_for() -> None:
    silent = [line for path in modules() for line in without_docstring(path)]
    assert silent == [], "\n".join(["give these a docstring of one sentence:", *silent])


def test_the_layer_contract_has_no_exceptions() -> None:
    contract = configparser.ConfigParser()
    contract.read(ROOT / "setup.cfg", encoding="utf-8")
    sections = [name for name in contract.sections() if name.startswith("importlinter")]
    assert len(sections) >= 4
    assert [name for name in sections if contract.has_option(name, "ignore_imports")] == []
    assert contract.getboolean("importlinter:contract:rooms", "exhaustive")


def test_what_is_muted_has_a_code_and_a_reason() -> None:
    bare = []
    for path in all_python():
        for line, what, comment in muted(path):
            after = comment.split(what, 1)[1]
            match = _CODED.match(after)
            reason = match["reason"].strip(" -–—#") if match else ""
            if match is None or len(reason) < 5:
                bare.append(f"{name_of(path)}:{line} {comment}")
    assert bare == [], "\n".join(["say which rule, and why:", *bare])


def test_every_migration_has_a_name_that_a_person_chose() -> None:
    names = [
        path.stem
        for package in PACKAGES
        for path in (ROOT / package / "migrations").glob("*.py")
        if path.stem != "__init__"
    ]
    assert len(names) >= len(PACKAGES)
    assert [n for n in names if not _NAMED_MIGRATION.match(n) or "_auto_" in n] == []


def test_the_clock_is_asked_at_the_edges_only() -> None:
    allowed = (
        "views",
        "views_requests",
        "views_surveys",
        "tasks",
        "management",
        "viewsets",
        "templatetags",
        "receivers",
        # What is noted of a stock record that was just saved: a receiver too.
        "marks",
        # Whether a letter of Oscar's own goes is asked where Oscar sends it.
        "mails",
        # What a basket costs is asked while the shop shows it.
        "reduced",
        "intake",
    )
    asked = [
        name_of(path)
        for path in modules()
        if path.is_relative_to(ROOT / "oscar_triggers")
        and "timezone.now()" in path.read_text(encoding="utf-8")
        and not any(part in allowed for part in (*path.parts, path.stem))
    ]
    # Boxes on a form are dated by the request that posted them.
    assert asked in ([], ["oscar_triggers/engine/consents.py"])
