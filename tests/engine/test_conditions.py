"""Conditions: trees, what is known of people, what came of messages, the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from oscar_triggers import conditions
from oscar_triggers.definitions import FlowDefinition, read_flow_file, write_flow_file
from oscar_triggers.engine import fields
from oscar_triggers.exceptions import InvalidOptions, UnknownKind
from oscar_triggers.models import Contact
from oscar_triggers.snapshots import About, Subject
from tests.existing_shop.reading import DOCS

NOW = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)


def subject(**known: Any) -> Subject:
    """Return someone on the way through a flow about a gift card, without a flow."""
    values: dict[str, Any] = {
        "enrollment_id": 1,
        "flow_id": 1,
        "flow_key": "gift-cards",
        "contact_id": 1,
        "user_id": None,
        "about": About(type="gift_card", id="7"),
        "entered_at": NOW - timedelta(days=1),
        "clock_at": NOW - timedelta(days=1),
    }
    return Subject(**{**values, **known})


def ask(options: dict[str, Any], *subjects: Subject, now: datetime = NOW) -> list[Any]:
    """Return the verdicts."""
    return conditions.from_options(options).holds_many(subjects, now)


def speaks(language: str) -> dict[str, Any]:
    """Return a question for a language."""
    return {"kind": "speaks", "language": language}


# ── Trees ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"kind": "all", "of": [speaks("de"), speaks("de-at")]}, [False, True]),
        ({"kind": "any", "of": [speaks("fr"), speaks("de")]}, [True, True]),
        ({"kind": "not", "of": [speaks("de-at")]}, [True, False]),
        ({"kind": "not", "condition": speaks("de-at")}, [True, False]),
        ({"kind": "not", "of": speaks("de-at")}, [True, False]),
        ({"kind": "not", "of": [speaks("fr"), speaks("de")]}, [False, False]),
        (
            {"kind": "all", "of": [speaks("de"), {"kind": "not", "of": [speaks("de-at")]}]},
            [True, False],
        ),
    ],
)
def test_questions_are_joined(tree: dict[str, Any], expected: list[bool]) -> None:
    verdicts = ask(tree, subject(language="de"), subject(language="de-at"))
    assert [verdict.holds for verdict in verdicts] == expected


def test_a_joined_answer_keeps_the_whole_tree_with_what_each_compared() -> None:
    tree = {"kind": "any", "of": [speaks("fr"), {"kind": "not", "of": [speaks("de")]}]}
    [verdict] = ask(tree, subject(language="en"))
    assert verdict.holds
    french, other = verdict.compared["of"]
    assert french == {
        "kind": "speaks",
        "holds": False,
        "compared": {"language": "en", "wanted": "fr"},
    }
    assert other["kind"], other["holds"] == ("not", True)
    assert other["compared"]["of"][0]["compared"] == {"language": "en", "wanted": "de"}


def flow(**rest: Any) -> FlowDefinition:
    """Return a flow on paper."""
    return FlowDefinition.from_dict(
        {
            "flow": "cards",
            "trigger": "gift_card_expiring",
            "steps": [{"key": "end", "kind": "exit"}],
            **rest,
        }
    )


def test_a_broken_question_is_named_with_its_place() -> None:
    broken = {"kind": "any", "of": [speaks("de"), {"kind": "not", "of": [{"kind": "speaks"}]}]}
    [problem] = flow(entry=[broken]).problems()
    assert problem.where == "entry › any › 2 › not › 1"
    assert "language" in problem.message
    [problem] = flow(stay=[speaks("de"), {"kind": "all", "of": [{"kind": "wrong"}]}]).problems()
    assert problem.where == "stay › 2 › all › 1"
    assert "wrong" in problem.message
    branch = {"key": "who", "kind": "branch", "options": {"condition": broken}}
    [problem] = flow(steps=[branch]).problems()
    assert problem.where == "steps › who › any › 2 › not › 1"


@pytest.mark.parametrize("of", [[], ["speaks"], [None], "speaks", 3])
def test_a_joining_condition_without_questions_is_refused(of: Any) -> None:
    assert flow(entry=[{"kind": "any", "of": of}]).problems() != []
    with pytest.raises((InvalidOptions, UnknownKind)):
        conditions.from_options({"kind": "any", "of": of})


def test_a_tree_that_nobody_could_read_is_refused_quickly() -> None:
    tree = speaks("de")
    for _level in range(conditions.MAX_TREE_DEPTH - 1):
        tree = {"kind": "not", "of": [tree]}
    assert flow(entry=[tree]).problems() == []
    for _level in range(2_000):
        tree = {"kind": "not", "of": [tree]}
    assert len(flow(entry=[tree]).problems()) == 1
    with pytest.raises(InvalidOptions):
        conditions.from_options(tree)


def test_a_tree_goes_to_a_file_and_back() -> None:
    text = """
flow: cards
trigger: gift_card_expiring
entry:
  - {kind: any, of: [{kind: speaks, language: de}, {kind: not, of: [{kind: is_customer}]}]}
steps:
  - {key: end, kind: exit}
"""
    definition = read_flow_file(text)
    assert definition.problems() == []
    again = read_flow_file(write_flow_file(definition))
    assert again.content_hash() == definition.content_hash()
    built = conditions.from_options(definition.entry[0])
    assert conditions.from_options({"kind": "any", **built.to_options()}) == built


# ── What is known of people ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def anna(agreed: int) -> int:
    """Let Anna be known better; return her contact's id."""
    Contact.objects.filter(pk=agreed).update(
        fields={"birthday": "1990-03-01", "size": "M", "points": 120, "vip": True, "empty": ""}
    )
    return agreed


@pytest.mark.parametrize(
    ("name", "comparison", "wanted", "holds"),
    [
        ("size", "is_set", "", True),
        ("empty", "is_set", "", False),
        ("hat", "is_empty", "", True),
        ("size", "is_empty", "", False),
        ("size", "is", "m", True),
        ("size", "is", "L", False),
        ("size", "is_not", "L", True),
        ("hat", "is_not", "L", True),
        ("hat", "is", "L", False),
        ("size", "contains", "M", True),
        ("points", "is", "120.0", True),
        ("points", "at_least", "120", True),
        ("points", "less_than", "120", False),
        ("size", "at_least", "1", False),
        ("vip", "is", "yes", True),
        ("vip", "is_not", "true", False),
        ("vip", "at_least", "1", False),
        ("birthday", "before", "1990-03-02", True),
        ("birthday", "after", "1990-03-01", False),
        ("birthday", "before", "today - 30d", True),
        ("birthday", "after", "today", False),
        ("size", "before", "today", False),
        ("hat", "before", "today", False),
        ("first_name", "is", "anna", True),
        ("language", "is", "en", True),
    ],
)
def test_a_field_is_compared(
    anna: int, name: str, comparison: str, wanted: str, holds: bool
) -> None:
    options = {"kind": "contact_field", "name": name, "comparison": comparison, "wanted": wanted}
    [verdict] = ask(options, subject(contact_id=anna))
    assert verdict.holds is holds
    assert verdict.compared["field"] == name
    assert "found" in verdict.compared


def test_what_a_person_is_called_or_when_they_were_born_stands_in_no_decision(anna: int) -> None:
    for name, comparison, wanted in (
        ("first_name", "is", "Berta"),
        ("birthday", "after", "2000-01-01"),
        ("birthday", "is", "2000-01-01"),
    ):
        [verdict] = ask(
            {"kind": "contact_field", "name": name, "comparison": comparison, "wanted": wanted},
            subject(contact_id=anna),
        )
        assert "Anna" not in str(verdict.compared)
        assert "1990" not in str(verdict.compared)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "size", "comparison": "like", "wanted": "M"},
        {"name": "No Name", "comparison": "is_set"},
        {"name": "size", "comparison": "is"},
        {"name": "points", "comparison": "at_least", "wanted": "many"},
        {"name": "birthday", "comparison": "before", "wanted": "soon"},
        {"name": "birthday", "comparison": "before", "wanted": "today - soon"},
    ],
)
def test_a_question_about_a_field_without_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises((InvalidOptions, fields.InvalidField)):
        conditions.from_options({"kind": "contact_field", **options})
    [problem] = flow(entry=[{"kind": "contact_field", **options}]).problems()
    assert problem.where == "entry"


def test_tags_are_asked(anna: int) -> None:
    fields.add_tag_many([anna], "vip", NOW)
    both = [subject(contact_id=anna), subject(contact_id=anna + 1)]
    verdicts = ask({"kind": "has_tag", "tag": " vip "}, *both)
    assert [verdict.holds for verdict in verdicts] == [True, False]


# ── The calendar ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "text", "holds"),
    [
        ({"from_day": "12-24", "until_day": "01-06"}, "2026-12-24 00:00", True),
        ({"from_day": "12-24", "until_day": "01-06"}, "2027-01-06 23:59", True),
        ({"from_day": "12-24", "until_day": "01-06"}, "2027-01-07 00:00", False),
        ({"from_day": "12-24", "until_day": "01-06"}, "2026-12-23 23:59", False),
        ({"from_day": "2-1", "until_day": "02-29"}, "2027-02-28 12:00", True),
        ({"from_day": "2-1", "until_day": "02-29"}, "2027-03-01 00:00", False),
        ({"first": "2026-12-24"}, "2026-12-24 00:00", True),
        ({"last": date(2026, 12, 24)}, "2026-12-25 00:00", False),
        ({"weekdays": ["thu"]}, "2026-12-24 23:59", True),
        ({"weekdays": ["thu"], "last": "2026-12-01"}, "2026-12-24 00:00", False),
        ({"weekdays": ["fri", "sat"]}, "2026-12-24 00:00", False),
    ],
)
def test_the_date_is_asked(options: dict[str, Any], text: str, holds: bool) -> None:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    one = subject(time_zone="UTC")
    [verdict] = ask({"kind": "date_is", **options}, one, now=moment)
    assert verdict.holds is holds
    assert verdict.compared["today"] == moment.date()


def test_the_date_is_the_readers_own() -> None:
    new_year = {"kind": "date_is", "from_day": "01-01", "until_day": "01-01"}
    people = [
        subject(time_zone=zone)
        for zone in ("Pacific/Kiritimati", "Asia/Kathmandu", "Australia/Lord_Howe", "Etc/GMT+12")
    ]
    verdicts = ask(new_year, *people, now=datetime(2026, 12, 31, 10, 0, tzinfo=UTC))
    assert [verdict.holds for verdict in verdicts] == [True, False, False, False]
    verdicts = ask(new_year, *people, now=datetime(2026, 12, 31, 18, 15, tzinfo=UTC))
    assert [verdict.holds for verdict in verdicts] == [True, True, True, False]
    verdicts = ask(new_year, *people, now=datetime(2027, 1, 1, 12, 0, tzinfo=UTC))
    assert [verdict.holds for verdict in verdicts] == [False, True, True, True]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"from_day": "12-24"},
        {"from_day": "12-32", "until_day": "01-06"},
        {"from_day": "Christmas", "until_day": "01-06"},
        {"weekdays": ["someday"]},
        {"first": "2027-01-01", "last": "2026-01-01"},
    ],
)
def test_a_question_about_no_date_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions):
        conditions.from_options({"kind": "date_is", **options})


# ── The documentation ────────────────────────────────────────────────────────────────────────────


def test_every_condition_that_ships_is_documented_with_its_options() -> None:
    text = (DOCS / "reference" / "conditions.md").read_text(encoding="utf-8")
    for kind, condition in conditions.registry.items():
        if not condition.__module__.startswith("oscar_triggers."):
            continue
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{kind}`")]
        for option in condition.option_fields():
            assert f"`{option.name}`" in row, f"{kind}: {option.name}"
            assert str(option.metadata["label"]), f"{kind}: {option.name}"
        assert str(condition.label), kind
