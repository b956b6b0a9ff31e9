"""Every code that the engine writes into its log reads as words, also in a tree of conditions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import oscar_triggers
from oscar_triggers import channels, steps
from oscar_triggers.engine import catches, installation, rehearsing, resolving, settling
from oscar_triggers.insight.words import NAMES, VERDICTS
from oscar_triggers.models import DispatchState, EnrollmentState, ExitReason, MessageState
from oscar_triggers.policy import verdicts
from oscar_triggers.shop import context, guards
from wagtail_triggers.blocks.ways import BRANCH_LABELS
from wagtail_triggers.wording import compared_answers, compared_rows
from wagtail_triggers.words import REASONS, RULES

ROOT = Path(oscar_triggers.__file__).parent
ROOMS = ("builtin", "engine", "policy", "shop")
#: What simulations and health reports write, which never stands in the log.
ELSEWHERE = {"simulation.py", "advice.py", "fixtures.py"}
#: Calls that make a decision, or what becomes one.
DECIDING = {"Note", "Leaving", "NothingToSay", "Postpone", "Refusal", "Refused", "Skip"}
#: Keys of compared values that are parts of a tree, which is shown as questions and answers.
OF_TREES = {"compared", "holds", "kind"}


def calls() -> Iterator[ast.Call]:
    """Yield every call of the engine's rooms."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name not in ELSEWHERE:
                tree = ast.parse(path.read_text())
                yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def written(keyword: str) -> set[str]:
    """Return the texts that stand behind a keyword where decisions are made."""
    return {
        one.value.value
        for call in calls()
        if name_of(call) in DECIDING
        for one in call.keywords
        if one.arg == keyword
        and isinstance(one.value, ast.Constant)
        and isinstance(one.value.value, str)
        and one.value.value
    }


def refusals_at_the_door() -> set[str]:
    return {
        call.args[2].value
        for call in calls()
        if name_of(call) == "_not_entered"
        and len(call.args) > 2
        and isinstance(call.args[2], ast.Constant)
    }


def test_every_reason_has_words() -> None:
    known = (
        written("reason")
        | refusals_at_the_door()
        | set(ExitReason.values)
        | {one.value for one in channels.Outcome} - {"sent", "untouched"}
        | {
            verdicts.NO_POINT, verdicts.SUPPRESSED, verdicts.NO_CONSENT, verdicts.WITHDRAWN,
            verdicts.HOLDOUT, verdicts.QUIET_HOURS, verdicts.SEND_WINDOW, verdicts.NEVER_OPEN,
            verdicts.FREQUENCY_CAP, verdicts.PRIORITY, verdicts.TOO_LATE_AFTER_LIMIT,
            catches.ONLY_TO, catches.NO_REDIRECT, rehearsing.WENT_LIVE, resolving.RESTORED,
            settling.BOOKED, installation.SENDING_OFF, installation.STOPPED,
            installation.FOREIGN, "not_arrived", "no_enrollment", "incentive_limit",
            guards.ORDER_PLACED, guards.BASKET_GONE, guards.BASKET_EMPTY,
            guards.BASKET_CHANGED, guards.PRICE_CHANGED, guards.SOLD_OUT,
            context.BASKET_EMPTY, context.NOTHING_BUYABLE,
        }
    )  # fmt: skip
    assert len(known) > 40
    assert sorted(known - set(REASONS)) == []


def test_every_rule_has_words() -> None:
    known = written("rule") | {
        verdicts.CONSENT,
        verdicts.WINDOWS,
        verdicts.FREQUENCY_CAP,
        verdicts.PRIORITY,
        verdicts.HOLDOUT,
        rehearsing.WENT_LIVE,
        resolving.STAFF,
        resolving.PROVIDER,
        "incentive_limit",
        "policy",
    }
    assert len(known) > 15
    assert sorted(known - set(RULES)) == []


def test_every_verdict_has_words() -> None:
    settled = set(MessageState.values) - {"planned"}
    branches = {name for step in steps.registry.values() for name in step.branches}
    known = written("verdict") | settled | branches | {DispatchState.RETRY.value}
    known |= {EnrollmentState.HELD.value, "advance", "kept", "moved", "stopped", "released"}
    assert sorted(known - set(VERDICTS)) == []


def test_every_branch_of_a_shipped_step_has_a_label() -> None:
    branches = {name for step in steps.registry.values() for name in step.branches}
    assert sorted(branches - set(BRANCH_LABELS)) == []


def test_every_compared_value_has_a_name() -> None:
    keys = {
        key.value
        for call in calls()
        for one in call.keywords
        if one.arg == "compared"
        for inner in ast.walk(one.value)
        if isinstance(inner, ast.Dict)
        for key in inner.keys
        if isinstance(key, ast.Constant)
    }
    assert len(keys) > 30
    assert sorted(keys - OF_TREES - set(NAMES)) == []


TREE = {
    "condition": "all",
    "of": [
        {
            "kind": "order_count",
            "holds": True,
            "compared": {"orders": 1, "comparison": "less_than", "wanted": 5, "within": "30d"},
        },
        {
            "kind": "any",
            "holds": False,
            "compared": {
                "of": [{"kind": "has_tag", "holds": False, "compared": {"tag": "vip"}}],
            },
        },
        {"kind": "vanished_question", "holds": True, "compared": {}},
    ],
}


def test_a_tree_of_conditions_reads_as_questions_with_their_answers() -> None:
    orders, any_of, vanished = compared_answers(TREE)
    assert (orders.question, orders.holds) == ("Number of orders", True)
    assert dict(orders.rows) == {
        "orders": "1",
        "comparison": "is less than",
        "wanted": "5",
        "within": "30 days",
    }
    assert (any_of.holds, any_of.rows) == (False, ())
    assert [(one.question, one.holds) for one in any_of.answers] == [("Has a tag", False)]
    assert vanished.question == "Vanished question"
    assert compared_rows(TREE) == [("condition", "All of these")]


@pytest.mark.parametrize(
    ("compared", "shown"),
    [
        ({"fallen": [{"product": 5, "before": "9.00", "now": "7.00"}]},
         "product 5, before 9.00, now 7.00"),
        ({"feedback": ["delivered", "complained"]}, "delivered, complained"),
        ({"max_lateness": "1d 12h"}, "36 hours"),
        ({"limit": "frequency_cap"}, "had enough messages already"),
        ({"limit": 500}, "500"),
        ({"event": "order_placed"}, "An order was placed"),
    ],
)  # fmt: skip
def test_values_read_as_staff_speak(compared: dict[str, object], shown: str) -> None:
    assert [text for _name, text in compared_rows(compared)] == [shown]


def test_a_value_that_names_a_step_shows_its_place() -> None:
    rows = compared_rows({"from_step": "9f1c"}, steps={"9f1c": "3. Send a message"})
    assert [text for _name, text in rows] == ["3. Send a message"]
