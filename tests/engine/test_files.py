"""Flows and letters as files: out and in again, the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oscar_triggers import conditions, steps
from oscar_triggers.definitions import (
    FlowDefinition,
    StepDefinition,
    read_flow_file,
    write_flow_file,
)
from oscar_triggers.engine import flows
from oscar_triggers.kinds import format_duration, to_json
from oscar_triggers.models import Flow, FlowVersion, Owner, TemplateVersion
from tests.examples import examples

from .conftest import SEND, wait
from .generated import instances

BRANCH = {
    "key": "ask",
    "kind": "branch",
    "options": {"condition": {"kind": "card_begins_with", "letters": "A"}},
    "branches": {"yes": [SEND], "no": [wait("pause", "2d 3h")]},
}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}\Z", fullmatch=True)
DURATIONS = st.integers(0, 3_660 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def flow_definitions(draw: st.DrawFn) -> FlowDefinition:
    """Return any flow that a file can hold, sensible or not."""

    def some_steps(depth: int) -> list[dict[str, Any]]:
        rows = []
        for key in draw(st.lists(KEYS, max_size=3)):
            row: dict[str, Any] = {"key": key, "kind": draw(KEYS)}
            if draw(st.booleans()):
                row["options"] = draw(st.dictionaries(TEXT, VALUES, min_size=1, max_size=3))
            if depth and draw(st.booleans()):
                row["branches"] = {
                    name: some_steps(depth - 1)
                    for name in draw(st.sets(KEYS, min_size=1, max_size=2))
                }
            rows.append(row)
        return rows

    rules: dict[str, Any] = {
        "reentry": st.one_of(
            st.sampled_from(["never", "once_a_year", "every_episode"]),
            DURATIONS.map(lambda length: f"after {format_duration(length)}"),
        ),
        "max_age": DURATIONS.map(format_duration),
        "priority": st.integers(0, 100),
        "when_limited": st.sampled_from(["drop", "postpone"]),
        "send_window": st.fixed_dictionaries(
            {"from": st.integers(0, 1439), "until": st.just("21:30"), "days": st.just(["mon"])}
        ),
        "bundle": DURATIONS.map(format_duration),
        "holdout": st.integers(0, 50),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(rules)), max_size=4))
    return FlowDefinition.from_dict(
        {
            "flow": draw(KEYS),
            "name": draw(TEXT),
            "trigger": {"kind": draw(KEYS), "extra": draw(VALUES)},
            "stay": [{"kind": draw(KEYS), "value": draw(VALUES)}],
            "goals": draw(st.lists(KEYS, max_size=2)),
            "include_waiting": draw(st.booleans()),
            "max_lateness": format_duration(draw(DURATIONS)),
            "steps": some_steps(3),
            **{name: draw(rules[name]) for name in chosen},
        }
    )


@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(flow_definitions())
def test_any_flow_survives_the_way_to_a_file_or_a_row_and_back(definition: FlowDefinition) -> None:
    read = read_flow_file(write_flow_file(definition))
    assert read.content_hash() == definition.content_hash()
    assert to_json(read.to_dict()) == to_json(definition.to_dict())
    stored = FlowDefinition.from_dict(json.loads(json.dumps(to_json(definition.to_dict()))))
    assert stored.content_hash() == definition.content_hash()


WITH_A_SEGMENT = {
    **django_settings.OSCAR_TRIGGERS,
    "SEGMENTS": {"vip": {"label": "VIPs", "conditions": [{"kind": "is_customer"}]}},
}


def _all_kinds() -> list[type[Any]]:
    return [*steps.registry.values(), *conditions.registry.values()]


# Some choices are rows, as saved segments are.
@pytest.mark.django_db
@pytest.mark.parametrize("kind", _all_kinds(), ids=lambda kind: f"{kind.__module__}-{kind.kind}")
@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_options_of_every_kind_survive_json_and_yaml(
    kind: type[Any], data: st.DataObject
) -> None:
    with override_settings(OSCAR_TRIGGERS=WITH_A_SEGMENT):
        _survive(data.draw(instances(kind)))


def _survive(one: Any) -> None:
    kind = type(one)
    options = one.to_options()
    for written in (json.loads(json.dumps(options)), yaml.safe_load(yaml.safe_dump(options))):
        again = kind.from_options(written)
        assert again == one
        assert again.to_options() == options


def test_yes_and_no_need_no_quotes_in_a_file() -> None:
    text = write_flow_file(
        FlowDefinition.from_dict({"flow": "a", "trigger": "b", "steps": [BRANCH]})
    )
    bare = text.replace("'yes':", "yes:").replace("'no':", "no:")
    assert bare != text
    step: StepDefinition = read_flow_file(bare).steps[0]
    assert set(step.branches) == {"yes", "no"}


@pytest.mark.django_db
def test_an_exported_flow_and_its_letters_publish_as_they_are(
    publish_flow: Callable[..., FlowVersion],
    publish_letter: Callable[..., Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish_letter(language="de", subject="Ihre Karte: {{ gift_card.code }} – „bald“ vorbei")
    version = publish_flow(BRANCH, wait("w", "1d"), holdout=10, reentry="after 30d")
    call_command("triggers_export", "gift-cards", "--letters", "--to", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "card.de.mjml",
        "card.en.mjml",
        "gift-cards.yaml",
    ]
    call_command("triggers_publish", "--check", str(tmp_path))
    call_command("triggers_publish", str(tmp_path))
    assert list(FlowVersion.objects.all()) == [version]
    exported = read_flow_file((tmp_path / "gift-cards.yaml").read_text(encoding="utf-8"))
    assert exported.content_hash() == version.content_hash
    subjects = {v.source["subject"] for v in TemplateVersion.objects.filter(language="de")}
    assert subjects == {"Ihre Karte: {{ gift_card.code }} – „bald“ vorbei"}
    # From the second time on, the letters are the very same versions too.
    before = TemplateVersion.objects.count()
    call_command("triggers_publish", str(tmp_path))
    assert TemplateVersion.objects.count() == before


@pytest.mark.django_db
def test_what_the_editor_owns_is_exported_and_checked_and_not_overwritten(
    publish_flow: Callable[..., FlowVersion],
    tmp_path: Path,
    now: datetime,
    capsys: pytest.CaptureFixture[str],
) -> None:
    version = publish_flow(SEND)
    flows.publish(
        FlowDefinition.from_dict(version.definition), owner=Owner.EDITOR, now=now, take_over=True
    )
    call_command("triggers_export", "--all", "--to", str(tmp_path))
    call_command("triggers_publish", "--check", str(tmp_path))
    assert "--take-over" in capsys.readouterr().out
    with pytest.raises(CommandError, match="1 of 1"):
        call_command("triggers_publish", str(tmp_path))
    assert Flow.objects.get().owner == Owner.EDITOR


@pytest.mark.django_db
def test_one_flow_is_printed(
    publish_flow: Callable[..., FlowVersion], capsys: pytest.CaptureFixture[str]
) -> None:
    publish_flow(SEND)
    call_command("triggers_export", "gift-cards")
    assert read_flow_file(capsys.readouterr().out).key == "gift-cards"
    with pytest.raises(CommandError, match="no published flow nowhere"):
        call_command("triggers_export", "nowhere")
