"""Finds what keeps a draft from being published, and puts each problem at its place in the form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from wagtail.blocks import StreamBlockValidationError, StreamValue, StructBlockValidationError

from oscar_triggers import steps
from oscar_triggers.engine import flows
from oscar_triggers.exceptions import InvalidOptions, Problem, UnknownKind

from . import rules
from .blocks import BRANCH_PREFIX
from .compiler import Draft, to_definition

SEPARATOR = " › "
#: Where a problem of the engine stands in the form, when the names differ.
FIELDS = {"flow": "key", "send_window": "window_from"}
FORM_FIELDS = frozenset(
    {
        "key",
        "name",
        "trigger",
        "stream",
        "topic",
        "entry",
        "stay",
        "goals",
        "include_waiting",
        "max_lateness",
        "on_doubt",
        "steps",
        *rules.FIELDS,
    }
)

#: Fields that show one error object each, made for streams.
STREAM_FIELDS = frozenset({"trigger", "entry", "stay", "steps"})


def draft_problems(draft: Draft) -> list[Problem]:
    """Return everything that keeps a draft from being published."""
    try:
        definition = to_definition(draft)
    except (UnknownKind, InvalidOptions) as error:
        return [Problem(where="steps", message=str(error))]
    return list(flows.check(definition))


def errors_by_field(
    problems: Sequence[Problem], stream: StreamValue
) -> dict[str | None, list[ValidationError]]:
    """Return problems as form errors by field; those of a step stand at that step's block."""
    messages: dict[str | None, list[str]] = defaultdict(list)
    of_steps: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        place, _, key = problem.where.partition(SEPARATOR)
        if place == "steps" and key:
            of_steps[key.partition(SEPARATOR)[0]].append(capfirst(problem.message))
            continue
        field = FIELDS.get(place, place)
        if field in FORM_FIELDS:
            messages[field].append(capfirst(problem.message))
        else:
            messages[None].append(capfirst(str(problem)))
    found: dict[str | None, list[ValidationError]] = {
        field: (
            [StreamBlockValidationError(non_block_errors=texts)]
            if field in STREAM_FIELDS
            else [ValidationError(text) for text in texts]
        )
        for field, texts in messages.items()
        if field != "steps"
    }
    if of_steps or messages["steps"]:
        error, left = _stream_error(stream, of_steps)
        error = error or StreamBlockValidationError()
        unplaced = [f"{key}: {text}" for key in sorted(left) for text in of_steps[key]]
        for text in [*messages["steps"], *unplaced]:
            error.non_block_errors.append(ValidationError(text))
        found["steps"] = [error]
    return found


def _stream_error(
    stream: StreamValue, messages: Mapping[str, Sequence[str]]
) -> tuple[StreamBlockValidationError | None, set[str]]:
    """Return the error of a stream, and the keys whose steps it does not hold."""
    blocks: dict[int, ValidationError] = {}
    aside: list[str] = []
    left = set(messages)
    for index, child in enumerate(stream):
        here = messages.get(child.id or child.block_type, ())
        left.discard(child.id or child.block_type)
        branches: dict[str, ValidationError] = {}
        if child.block_type in steps.registry:
            for name in steps.registry.get(child.block_type).branches:
                inner = (child.value or {}).get(f"{BRANCH_PREFIX}{name}")
                if inner:
                    error, unplaced = _stream_error(inner, messages)
                    left &= unplaced
                    if error is not None:
                        branches[f"{BRANCH_PREFIX}{name}"] = error
        if child.value is None:
            # A block without fields has no place of its own for an error.
            aside += [f"{index + 1}. {child.block.label}: {message}" for message in here]
        elif here or branches:
            blocks[index] = StructBlockValidationError(
                block_errors=branches, non_block_errors=list(here)
            )
    if not blocks and not aside:
        return None, left
    return StreamBlockValidationError(block_errors=blocks, non_block_errors=aside), left
