"""One flow from a terminal: paused, rehearsed, taken back, and who stands where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from oscar_triggers.definitions import FlowDefinition, write_flow_file
from oscar_triggers.models import Enrollment, Flow, FlowState, FlowVersion

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db


@pytest.fixture
def one_waits(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    agreed: int,
    tick: Callable[[datetime], Any],
    now: datetime,
) -> FlowVersion:
    """Let somebody stand at the Wait of a flow."""
    version = publish_flow(wait("pause", "1d"), SEND)
    expire(at=now)
    tick(now)
    return version


def test_each_verb_does_its_deed(one_waits: FlowVersion) -> None:
    for verb, state in (
        ("pause", FlowState.PAUSED),
        ("resume", FlowState.LIVE),
        ("shadow", FlowState.SHADOW),
        ("live", FlowState.LIVE),
        ("archive", FlowState.ARCHIVED),
    ):
        call_command("triggers_flow", "gift-cards", verb)
        assert Flow.objects.get().state == state


def test_what_cannot_be_done_is_said(one_waits: FlowVersion) -> None:
    call_command("triggers_flow", "gift-cards", "shadow")
    with pytest.raises(CommandError, match="cannot pause"):
        call_command("triggers_flow", "gift-cards", "pause")
    with pytest.raises(CommandError, match="does not exist"):
        call_command("triggers_flow", "nowhere", "pause")


def test_the_preview_of_a_file_tells_and_changes_nothing(
    one_waits: FlowVersion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gift-cards.yaml"
    changed = FlowDefinition.from_dict({**one_waits.definition, "steps": [SEND]})
    path.write_text(write_flow_file(changed))
    call_command("triggers_flow", "gift-cards", "--preview", str(path))
    told = capsys.readouterr().out
    assert "pause (gone): 1 people" in told
    assert "go on at “Send a message (letter)”" in told
    assert FlowVersion.objects.count() == 1
    call_command("triggers_publish", str(path), "--people", "move")
    assert "1 moved" in capsys.readouterr().out
    assert Enrollment.objects.get().step_key == "letter"
    call_command("triggers_flow", "gift-cards", "rollback", "--people", "stop")
    assert Flow.objects.get().live_version == one_waits
    assert not Enrollment.objects.filter(state="active").exists()


def test_without_a_verb_it_says_who_stands_where(
    one_waits: FlowVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("triggers_flow", "gift-cards")
    assert "version 1  pause: 1 people" in capsys.readouterr().out
