"""What a check says about a flow before it does harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from oscar_triggers.definitions import FlowDefinition, write_flow_file
from oscar_triggers.engine import checking
from oscar_triggers.engine.checking import Finding, Level
from oscar_triggers.models import FlowVersion

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

EXIT = {"key": "end", "kind": "exit"}
ASK = {
    "key": "ask",
    "kind": "branch",
    "options": {"condition": {"kind": "card_begins_with", "letters": "A"}},
}


def rules(*steps: dict[str, Any], **rest: Any) -> dict[str, Finding]:
    """Return {rule: finding} of a flow about gift cards."""
    definition = FlowDefinition.from_dict(
        {"flow": "gift-cards", "trigger": "gift_card_expiring", "steps": list(steps), **rest}
    )
    return {finding.rule: finding for finding in checking.findings_of(definition)}


@pytest.fixture(autouse=True)
def _letters(publish_letter: Callable[..., Any]) -> None:
    publish_letter()


def test_a_good_flow_has_no_findings() -> None:
    assert rules(SEND) == {}


def test_a_step_behind_an_end_is_never_reached() -> None:
    found = rules(EXIT, SEND)["unreachable"]
    assert (found.level, found.where) == (Level.ERROR, "steps › letter")


def test_a_step_behind_a_branch_whose_every_way_ends_is_never_reached() -> None:
    both = {**ASK, "branches": {"yes": [EXIT], "no": [wait("w", "1d"), {**EXIT, "key": "e2"}]}}
    assert rules(both, SEND)["unreachable"].where == "steps › letter"
    one = {**ASK, "branches": {"yes": [EXIT], "no": [wait("w", "1d")]}}
    assert "unreachable" not in rules(one, SEND)


def test_a_question_whose_answer_changes_nothing_is_odd() -> None:
    assert rules(ASK, SEND)["empty_branches"].level == Level.WARNING


def test_a_reminder_of_a_basket_should_end_with_the_purchase() -> None:
    basket = {"trigger": "basket_left"}
    assert rules(SEND, **basket)["exit_on_purchase"].level == Level.WARNING
    assert "exit_on_purchase" not in rules(SEND, goals=["order_placed"], **basket)
    assert "exit_on_purchase" not in rules(SEND, stream="transactional", **basket)


def test_a_letter_may_say_only_what_the_trigger_knows(publish_letter: Callable[..., Any]) -> None:
    publish_letter(key="basket", subject="{{ links.basket }}")
    found = rules({**SEND, "options": {"template": "basket"}})["merge_tags"]
    assert found.level == Level.ERROR
    assert "links.basket" in found.message
    assert found.where == "steps › letter › basket (en)"


def test_a_letter_may_count_what_it_repeats(publish_letter: Callable[..., Any]) -> None:
    counted = "{% for one in recommended.viewed %}{{ loop.index }}. {{ one.title }}{% endfor %}"
    publish_letter(key="counted", subject=counted)
    assert "merge_tags" not in rules({**SEND, "options": {"template": "counted"}})


def test_a_promotional_flow_without_a_topic_has_no_consent_basis() -> None:
    assert rules(SEND, topic="gossip")["problem"].where == "topic"


def test_a_voucher_in_a_transactional_flow_needs_a_consent() -> None:
    voucher = {"template": "card", "voucher": {"percent": 10, "valid": "7d"}}
    assert "consent_basis" in rules({**SEND, "options": voucher}, stream="transactional")


def test_a_reminder_that_comes_after_the_voucher_is_over_is_odd(
    publish_letter: Callable[..., Any],
) -> None:
    publish_letter(key="remind", subject="Your code {{ voucher.code }} ends soon")
    offer = {**SEND, "options": {"template": "card", "voucher": {"percent": 10, "valid": "3d"}}}
    remind = {"key": "remind", "kind": "send", "options": {"template": "remind"}}
    assert rules(offer, wait("w", "3d"), remind)["voucher_over"].where == "steps › remind"
    assert "voucher_over" not in rules(offer, wait("w", "2d"), remind)


def test_a_window_that_is_closed_for_longer_than_a_letter_may_be_late_is_odd() -> None:
    workdays = {"from": "09:00", "until": "17:00", "days": ["mon", "tue", "wed", "thu", "fri"]}
    found = rules(SEND, send_window=workdays)["lateness"]
    assert "2d 16h" in found.message
    assert "lateness" not in rules(SEND, send_window=workdays, max_lateness="3d")
    assert "lateness" not in rules(SEND, send_window=workdays, when_limited="drop")


def test_quiet_hours_that_are_longer_than_a_letter_may_be_late_are_odd(settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "QUIET_HOURS": {"*": ("20:00", "09:00")}}
    assert rules(SEND)["lateness"].where == "QUIET_HOURS, email"
    assert "lateness" not in rules(SEND, max_lateness="14h")


def test_a_look_that_fails_spares_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(definition: FlowDefinition) -> list[Finding]:
        raise RuntimeError("no idea")

    monkeypatch.setattr(checking, "_looks", [broken, *checking._looks])
    assert list(rules(EXIT, SEND)) == ["unreachable"]


def test_the_command_fails_on_errors_and_when_strict_on_warnings(
    publish_flow: Callable[..., FlowVersion], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_flow(SEND, ASK)
    call_command("triggers_check", "gift-cards")
    with pytest.raises(CommandError, match="0 errors, 1 warnings"):
        call_command("triggers_check", "--live", "--strict")
    path = tmp_path / "bad.yaml"
    definition = FlowDefinition.from_dict(
        {"flow": "bad", "trigger": "gift_card_expiring", "steps": [EXIT, SEND]}
    )
    path.write_text(write_flow_file(definition))
    capsys.readouterr()
    with pytest.raises(CommandError, match="1 errors"):
        call_command("triggers_check", str(path), "--format", "json")
    [row] = json.loads(capsys.readouterr().out)
    assert (row["target"], row["level"], row["rule"]) == ("bad.yaml", "error", "unreachable")
    assert row["advice"]
    with pytest.raises(CommandError, match="no published flow nowhere"):
        call_command("triggers_check", "nowhere")


def test_what_ships_passes_its_own_check() -> None:
    call_command("triggers_check", "presets", "--strict")
