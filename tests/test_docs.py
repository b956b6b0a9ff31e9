"""The documentation tells the truth: what it names exists, and what it shows works."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.dispatch import Signal

from oscar_triggers import channels, conditions, events, limits, signals, steps
from oscar_triggers.conf import TriggersSettings
from oscar_triggers.content import tags
from oscar_triggers.content.grammar import FILTERS
from oscar_triggers.definitions import FlowDefinition, read_flow_file
from oscar_triggers.models import ExitReason, Flow
from tests.existing_shop.reading import DOCS, blocks

ROOT = DOCS.parent
_FIRST_COLUMN = re.compile(r"^\| `(\w+)`", re.MULTILINE)


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_setting_is_documented_and_no_other() -> None:
    known = {field.name.upper() for field in fields(TriggersSettings)}
    assert set(_FIRST_COLUMN.findall(page("reference/settings.md"))) == known


def test_every_signal_is_documented_with_its_arguments() -> None:
    known = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    text = page("reference/signals.md")
    assert set(_FIRST_COLUMN.findall(text)) == known
    source = (ROOT / "oscar_triggers" / "signals.py").read_text(encoding="utf-8")
    for name in known:
        said = re.search(rf'^{name} = Signal\(\)\n"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
        assert said is not None, name
        promised = re.findall(r"`(\w+)`", said[1].split("Arguments:")[1])
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{name}`")]
        assert re.findall(r"`(\w+)`", row)[1:] == promised


def test_every_command_is_documented_with_its_options() -> None:
    text = page("reference/commands.md")
    for package in ("oscar_triggers", "wagtail_triggers"):
        for path in (ROOT / package / "management" / "commands").glob("triggers_*.py"):
            assert f"`{path.stem}" in text, f"{path.stem} is not documented"
            for option in re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8")):
                assert f"`{option}" in text, f"{path.stem} {option} is not documented"


def test_every_kind_that_ships_is_documented() -> None:
    text = page("reference/flow-files.md")
    shipped = [
        kind
        for registry in (events.registry, steps.registry, conditions.registry, channels.registry)
        for kind, entry in registry.items()
        if str(entry.__module__).startswith("oscar_triggers.")
        # The test kit's channel is there only where the kit was imported.
        and not str(entry.__module__).startswith("oscar_triggers.testing.")
        and getattr(entry, "can_trigger", True)
        and getattr(entry, "is_offered", True)
    ]
    assert len(shipped) > 8
    missing = [kind for kind in shipped if f"`{kind}`" not in text and f"({kind})" not in text]
    assert missing == []


def test_every_entry_of_a_flow_file_is_documented() -> None:
    known = {*FlowDefinition(key="a", name="A", trigger="b").to_dict(), *limits.NAMES}
    table = page("reference/flow-files.md").split("## ")[0]
    assert set(_FIRST_COLUMN.findall(table)) == known


def test_every_merge_tag_and_filter_is_documented() -> None:
    text = page("howto/letters.md")
    for name in FILTERS:
        assert f"|{name}" in text, name
    for path, tag in tags.registry.items():
        if str(tag.group) != "Gift card":
            name = path.rpartition(".")[2]
            assert f"`{name}`" in text or f".{name}`" in text, path


def test_the_glossary_knows_every_exit_reason() -> None:
    entry = page("reference/glossary.md").split("\nExit reason\n")[1].split("\n\n")[0]
    for reason in ExitReason.values:
        assert re.search(rf"\b{reason}\b", entry), reason


def test_every_promise_names_tests_that_exist() -> None:
    promised = set(re.findall(r"`(test_\w+)`", page("discussions/promises.md")))
    assert len(promised) > 20
    existing = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert promised - existing == set()


def test_every_function_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:engine|shop|policy|content|builtin|tasks)\.[\w.]+)`", text))
    assert len(named) > 25
    assert sorted(name for name in named if not _exists(name)) == []


def _exists(dotted: str) -> bool:
    from importlib import import_module

    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(["oscar_triggers", *parts[:cut]]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name, None)
        return found is not None
    return False


@pytest.mark.parametrize(
    "source", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"]
)
def test_links_between_the_files_at_the_top_lead_somewhere(source: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", source.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.django_db
def test_the_tutorials_flow_and_letters_can_be_published(tmp_path: Path) -> None:
    files = []
    for block in blocks("tutorial/first-flow.md"):
        path = tmp_path / block.caption
        path.write_text(block.body + "\n", encoding="utf-8")
        files.append(str(path))
    assert len(files) == 3
    call_command("triggers_publish", "--check", *files)
    assert not Flow.objects.exists()
    call_command("triggers_publish", *files)
    assert Flow.objects.get().key == "left-basket"


@pytest.mark.django_db
def test_the_flow_of_the_readme_can_be_published(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [flow] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(flow.strip().splitlines()) == 12
    assert read_flow_file(flow).problems() == []
    path = tmp_path / "left-basket.yaml"
    path.write_text(flow, encoding="utf-8")
    call_command("triggers_publish", "preset:abandoned-basket")
    call_command("triggers_publish", str(path))
    assert Flow.objects.filter(key="left-basket").exists()
