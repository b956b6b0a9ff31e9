"""Drafts become definitions and definitions become drafts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from oscar_triggers import steps
from oscar_triggers.definitions import FlowDefinition, StepDefinition
from oscar_triggers.exceptions import Problem
from oscar_triggers.kinds import option
from oscar_triggers.steps import Advance, Outcome, Step, StepVisit
from tests.editor.conftest import make_flow
from wagtail_triggers.checking import errors_by_field
from wagtail_triggers.compiler import from_definition, to_definition
from wagtail_triggers.fields import RegistryStreamField
from wagtail_triggers.models import FlowDraft

NESTED = FlowDefinition(
    key="deep",
    name="Deep",
    trigger="basket_left",
    trigger_options={
        "idle": "36h",
        "max_age": "3d",
        "minimum_value": "20.50",
        "audience": "guests",
    },
    entry=({"kind": "speaks", "language": "de"},),
    stay=({"kind": "is_customer"},),
    goals=("order_placed",),
    include_waiting=True,
    max_lateness=timedelta(minutes=90),
    on_doubt="resend",
    steps=(
        StepDefinition(key="wait-1", kind="wait", options={"duration": "1d 12h"}),
        StepDefinition(
            key="fork-1",
            kind="branch",
            options={"condition": {"kind": "speaks", "language": "ru"}},
            branches={
                "yes": (
                    StepDefinition(
                        key="fork-2",
                        kind="branch",
                        options={"condition": {"kind": "is_customer"}},
                        branches={
                            "no": (
                                StepDefinition(
                                    key="letter-2",
                                    kind="send",
                                    options={
                                        "template": "letter",
                                        "channel": "email",
                                        "reply_to": "mary@shop.example",
                                        "voucher": {"percent": 10, "valid": "7d"},
                                    },
                                ),
                            )
                        },
                    ),
                ),
            },
        ),
        StepDefinition(key="end-1", kind="exit", options={"reason": "goal"}),
    ),
)


def normal(definition: FlowDefinition) -> dict[str, Any]:
    """Return a definition with its options read and written once, so that 36h equals 1d 12h."""
    data = definition.to_dict()
    _event, options = definition.trigger_event()
    data["trigger"] = {"kind": definition.trigger, **options.to_options()}

    def walk(found: list[dict[str, Any]]) -> None:
        for step in found:
            kind = steps.registry.get(step["kind"])
            step["options"] = kind.from_options(step.get("options", {})).to_options()
            step["branches"] = {
                name: inner for name, inner in step.get("branches", {}).items() if inner
            }
            for inner in step["branches"].values():
                walk(inner)

    walk(data["steps"])
    return data


def test_a_nested_flow_survives_the_way_into_the_editor_and_back(db: None) -> None:
    draft = FlowDraft(live=False, **from_definition(NESTED))
    draft.save()
    stored = FlowDraft.objects.get(pk=draft.pk)
    assert normal(to_definition(stored)) == normal(NESTED)


def test_step_keys_survive_a_revision(db: None) -> None:
    draft = FlowDraft(live=False, **from_definition(NESTED))
    draft.save()
    revision = draft.save_revision()
    keys = [step.key for step, *_rest in to_definition(revision.as_object()).walk()]
    assert keys == ["wait-1", "fork-1", "fork-2", "letter-2", "end-1"]


def test_an_empty_draft_compiles_and_names_what_is_missing(db: None) -> None:
    draft = FlowDraft(key="", name="")
    places = {problem.where for problem in to_definition(draft).problems()}
    assert {"flow", "trigger", "steps"} <= places


def test_a_third_party_step_shows_up_by_itself_and_makes_no_migration(db: None) -> None:
    @dataclass(frozen=True, kw_only=True)
    class CallHook(Step):
        kind: ClassVar[str] = "call_hook"
        label: ClassVar[Any] = "Call a web hook"

        url: str = option(label="Address", format="url")
        tries: int = option(default=3, label="Tries")

        def run(self, visit: StepVisit, now: datetime) -> Outcome:
            return Advance()

    with steps.registry.temporarily("call_hook", CallHook):
        field = RegistryStreamField("steps")
        blocks = field.stream_block.child_blocks
        assert blocks["call_hook"].label == "Call a web hook"
        assert set(blocks["call_hook"].child_blocks) == {"url", "tries"}
        inner = blocks["branch"].child_blocks["branch_yes"].child_blocks
        assert "call_hook" in inner
        _name, path, args, kwargs = field.deconstruct()
        assert path == "wagtail_triggers.fields.RegistryStreamField"
        assert args == []
        assert kwargs == {"registry": "steps"}


def test_branches_stand_in_each_other_three_deep_and_no_deeper() -> None:
    block: Any = RegistryStreamField("steps").stream_block
    for _level in range(3):
        block = block.child_blocks["branch"].child_blocks["branch_no"]
    assert "branch" not in block.child_blocks
    assert "send" in block.child_blocks


def test_a_problem_stands_at_the_block_of_its_step_however_deep(db: None) -> None:
    draft = FlowDraft(live=False, **from_definition(NESTED))
    draft.save()
    stream = FlowDraft.objects.get(pk=draft.pk).steps
    errors = errors_by_field(
        [
            Problem(where="steps › letter-2", message="has no template"),
            Problem(where="topic", message="is no topic"),
            Problem(where="steps › gone", message="is not there"),
        ],
        stream,
    )
    assert [error.message for error in errors["topic"]] == ["Is no topic"]
    (error,) = errors["steps"]
    inner = error.block_errors[1].block_errors["branch_yes"]
    deepest = inner.block_errors[0].block_errors["branch_no"].block_errors[0]
    assert [str(one.message) for one in deepest.non_block_errors.as_data()] == ["Has no template"]
    assert "gone: Is not there" in str(error.non_block_errors)


def test_a_step_that_no_app_provides_any_more_locks_the_draft(db: None) -> None:
    draft = make_flow()
    raw = [{"type": "vanished", "value": {}, "id": "x"}]
    FlowDraft.objects.filter(pk=draft.pk).update(steps=raw)
    stored = FlowDraft.objects.get(pk=draft.pk)
    lock = stored.get_lock()
    assert lock is not None
    assert lock.for_user(None)
    assert "vanished" in str(lock.get_message(None))


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(hours=36), {"amount": 36, "unit": "h"}),
        (timedelta(days=2), {"amount": 2, "unit": "d"}),
        (timedelta(seconds=90), {"amount": 90, "unit": "s"}),
        (timedelta(0), {"amount": 0, "unit": "h"}),
    ],
)
def test_durations_are_shown_in_the_largest_unit_that_fits(
    duration: timedelta, shown: dict[str, Any]
) -> None:
    from wagtail_triggers.blocks.durations import join_duration, split_duration

    assert split_duration(duration) == shown
    assert join_duration(shown) == duration
