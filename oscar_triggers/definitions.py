"""A flow on paper: its shape, to and from a file, and the checks of its own shape."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import yaml
from django.utils.translation import pgettext

from . import conditions, events, limits, steps
from .conf import PROMOTIONAL, TRANSACTIONAL
from .exceptions import DefinitionError, InvalidOptions, Problem, UnknownKind
from .kinds import clean_text, format_duration, parse_duration, to_json
from .limits import EVERY_EPISODE, POSTPONE, SendWindow

#: A branch in a branch in a branch, and the steps within it.
MAX_DEPTH = 4
_LONGEST_NAME = 200
_LONGEST_TOPIC = 60
KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}\Z")


@dataclass(frozen=True, kw_only=True)
class StepDefinition:
    """One step on paper, with the steps of its branches."""

    key: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    branches: Mapping[str, tuple[StepDefinition, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a file or a row."""
        data: dict[str, Any] = {"key": self.key, "kind": self.kind}
        if self.options:
            data["options"] = dict(self.options)
        if self.branches:
            data["branches"] = {
                name: [step.to_dict() for step in children]
                for name, children in self.branches.items()
            }
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StepDefinition:
        """Read what to_dict wrote; raises DefinitionError for a wrong shape."""
        _refuse_unknown(data, {"key", "kind", "options", "branches"}, where="steps")
        branches = data.get("branches") or {}
        if not isinstance(branches, Mapping):
            raise _problem("'branches' must map names to lists of steps", where="steps")
        return cls(
            key=str(data.get("key", "")),
            kind=str(data.get("kind", "")),
            options=_mapping(data.get("options"), where=f"steps › {data.get('key', '')} › options"),
            branches={
                _branch_name(name): tuple(
                    cls.from_dict(child) for child in _mappings(children, where="steps")
                )
                for name, children in branches.items()
            },
        )


@dataclass(frozen=True, kw_only=True)
class FlowDefinition:
    """A whole flow on paper."""

    key: str
    name: str
    trigger: str
    trigger_options: Mapping[str, Any] = field(default_factory=dict)
    stream: str = PROMOTIONAL
    topic: str = "offers"
    #: Conditions to enter, each {"kind": …, option: value}; all must hold.
    entry: tuple[Mapping[str, Any], ...] = ()
    #: Conditions to stay, asked again before each step and each send; all must hold.
    stay: tuple[Mapping[str, Any], ...] = ()
    #: Kinds of events that end it as a success.
    goals: tuple[str, ...] = ()
    #: Whether what already waits when it is switched on may enter (W9).
    include_waiting: bool = False
    #: Messages later than this after they were due are not sent.
    max_lateness: timedelta = timedelta(hours=12)
    #: What becomes of a message whose hand-over nobody can tell: "hold" or "resend".
    on_doubt: str = "hold"
    #: When someone may come in again: "every_episode", "never", "once_a_year", "after 30d".
    reentry: str = EVERY_EPISODE
    #: Events that are older than this when we learn of them start nothing; None: any age.
    max_age: timedelta | None = None
    #: 0 to 100: of two flows that want to write to one person at once, the higher goes first.
    priority: int = 50
    #: What becomes of a message that a limit holds back: "postpone" or "drop".
    when_limited: str = POSTPONE
    #: When messages may leave, in the reader's own day; None: whenever quiet hours allow.
    send_window: SendWindow | None = None
    #: How long the first message about a thing waits for others, to be one message together.
    bundle: timedelta | None = None
    #: Percent of the people who are kept without messages, to see what the flow brings.
    holdout: int = 0
    #: Messages in the first hour before the flow is paused; None: OSCAR_TRIGGERS["BLAST_LIMIT"].
    blast_limit: int | None = None
    #: How long after a click an order or another goal counts for the message.
    attribution_window: timedelta = timedelta(days=5)
    #: Key of one of OSCAR_TRIGGERS["NAMED_SENDERS"]; "": the shop's usual sender.
    sender: str = ""
    steps: tuple[StepDefinition, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a file or a row."""
        return {
            "flow": self.key,
            "name": self.name,
            "trigger": {"kind": self.trigger, **self.trigger_options},
            "stream": self.stream,
            "topic": self.topic,
            "entry": [dict(condition) for condition in self.entry],
            "stay": [dict(condition) for condition in self.stay],
            "goals": list(self.goals),
            "include_waiting": self.include_waiting,
            "max_lateness": format_duration(self.max_lateness),
            "on_doubt": self.on_doubt,
            **self._limits_to_dict(),
            "steps": [step.to_dict() for step in self.steps],
        }

    def _limits_to_dict(self) -> dict[str, Any]:
        """Return the rules that differ from the usual ones: a file names only those."""
        return {
            name: limits.write(getattr(self, name))
            for name in limits.NAMES
            if getattr(self, name) != getattr(_EXAMPLE, name)
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FlowDefinition:
        """Read what to_dict wrote or an author typed; raises DefinitionError."""
        if not isinstance(data, Mapping):
            raise _problem("a flow file must hold a mapping that begins with 'flow: key'")
        _refuse_unknown(data, {*_EXAMPLE.to_dict(), *limits.NAMES}, where="flow")
        trigger = data.get("trigger") or {}
        if isinstance(trigger, str):
            trigger = {"kind": trigger}
        if not isinstance(trigger, Mapping):
            raise _problem("must be a kind, or a mapping with a 'kind'", where="trigger")
        try:
            lateness = parse_duration(str(data.get("max_lateness", "12h")))
        except ValueError as error:
            raise _problem(str(error), where="max_lateness") from error
        return cls(
            key=str(data.get("flow", "")),
            name=clean_text(str(data.get("name") or data.get("flow", ""))),
            trigger=str(trigger.get("kind", "")),
            trigger_options={k: v for k, v in trigger.items() if k != "kind"},
            stream=str(data.get("stream", PROMOTIONAL)),
            topic=str(data.get("topic", "offers")),
            entry=_mappings(data.get("entry"), where="entry"),
            stay=_mappings(data.get("stay"), where="stay"),
            goals=_goals(data.get("goals")),
            include_waiting=bool(data.get("include_waiting", False)),
            max_lateness=lateness,
            on_doubt=str(data.get("on_doubt", "hold")),
            **_read_limits(data),
            steps=tuple(
                StepDefinition.from_dict(step)
                for step in _mappings(data.get("steps"), where="steps")
            ),
        )

    def content_hash(self) -> str:
        """Return a hash that is equal for equal flows."""
        # As rows and files hold it: an author's YAML may bring dates.
        text = json.dumps(to_json(self.to_dict()), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def walk(self) -> Iterator[tuple[StepDefinition, StepDefinition | None, str, int, int]]:
        """Yield each step with its parent, branch, position and depth (1 at the top)."""
        yield from _walk(self.steps, None, "", 1)

    def trigger_event(self) -> tuple[type[events.Event], events.TriggerOptions]:
        """Return the trigger's event class and options; raises UnknownKind or InvalidOptions."""
        event_class = events.registry.get(self.trigger)
        return event_class, event_class.options_class.from_options(dict(self.trigger_options))

    def problems(self) -> list[Problem]:
        """Return what is wrong with the flow's own shape, without asking the database."""
        found: list[Problem] = []
        if not KEY.match(self.key):
            found.append(
                Problem(
                    where="flow",
                    message=pgettext(
                        "triggers", "needs a key of small letters, digits and hyphens"
                    ),
                )
            )
        if len(self.name) > _LONGEST_NAME:
            found.append(
                Problem(
                    where="name",
                    message=pgettext("triggers", "is longer than %(count)d characters")
                    % {"count": _LONGEST_NAME},
                )
            )
        if len(self.topic) > _LONGEST_TOPIC:
            found.append(
                Problem(
                    where="topic",
                    message=pgettext("triggers", "is longer than %(count)d characters")
                    % {"count": _LONGEST_TOPIC},
                )
            )
        if self.stream not in (PROMOTIONAL, TRANSACTIONAL):
            found.append(
                Problem(
                    where="stream",
                    message=pgettext("triggers", "must be '%(one)s' or '%(other)s'")
                    % {"one": PROMOTIONAL, "other": TRANSACTIONAL},
                )
            )
        if self.on_doubt not in ("hold", "resend"):
            found.append(
                Problem(
                    where="on_doubt",
                    message=pgettext("triggers", "must be '%(one)s' or '%(other)s'")
                    % {"one": "hold", "other": "resend"},
                )
            )
        found += self._trigger_problems()
        if not self.max_lateness:
            found.append(
                Problem(
                    where="max_lateness",
                    message=pgettext(
                        "triggers", "must be more than no time, or everything comes too late"
                    ),
                )
            )
        for where, wanted in (("entry", self.entry), ("stay", self.stay)):
            for number, data in enumerate(wanted, start=1):
                place = f"{where} › {number}" if len(wanted) > 1 else where
                found += conditions.problems_of(data, place)
        return found + self._step_problems()

    def _trigger_problems(self) -> list[Problem]:
        if not self.trigger:
            return [
                Problem(
                    where="trigger", message=pgettext("triggers", "choose what starts the flow")
                )
            ]
        found = _kind_problem(self.trigger_event, "trigger")
        if not found and not events.registry.get(self.trigger).can_trigger:
            found.append(
                Problem(
                    where="trigger",
                    message=pgettext("triggers", "'%(event)s' cannot start a flow")
                    % {"event": self.trigger},
                )
            )
        for goal in self.goals:
            found += _kind_problem(lambda goal=goal: events.registry.get(goal), "goals")
        return found

    def _step_problems(self) -> list[Problem]:
        found: list[Problem] = []
        if not self.steps:
            found.append(
                Problem(where="steps", message=pgettext("triggers", "add at least one step"))
            )
        seen: set[str] = set()
        for step, _parent, _branch, _position, depth in self.walk():
            where = f"steps › {step.key or step.kind}"
            if not KEY.match(step.key):
                found.append(Problem(where=where, message=pgettext("triggers", "needs a key")))
            elif step.key in seen:
                found.append(
                    Problem(
                        where=where, message=pgettext("triggers", "another step has the same key")
                    )
                )
            seen.add(step.key)
            if depth > MAX_DEPTH:
                found.append(
                    Problem(
                        where=where,
                        message=pgettext("triggers", "is nested deeper than %(count)d levels")
                        % {"count": MAX_DEPTH - 1},
                    )
                )
            # What is wrong inside a question is told at its place in it.
            found += _question_problems(step, where) or _kind_problem(
                lambda step=step: read_step(step), where
            )
            if step.kind in steps.registry:
                known = steps.registry.get(step.kind).branches
                found += [
                    Problem(
                        where=where,
                        message=pgettext("triggers", "has no branch '%(branch)s'")
                        % {"branch": name},
                    )
                    for name in step.branches
                    if name not in known
                ]
        return found


def read_step(definition: StepDefinition) -> steps.Step:
    """Build the step of a definition; raises UnknownKind or InvalidOptions."""
    return steps.registry.get(definition.kind).from_options(definition.options)


def read_flow_file(text: str) -> FlowDefinition:
    """Read a flow from YAML (or JSON) text; raises DefinitionError naming the line."""
    try:
        data = yaml.safe_load(text)
    except (RecursionError, ValueError) as error:
        # ValueError: a date such as 2030-02-31.
        raise _problem(f"is not readable YAML: {error}", where="file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DefinitionError(
            [
                Problem(
                    message=f"is not readable YAML: {getattr(error, 'problem', error)}",
                    where="file",
                    line=mark.line + 1 if mark is not None else 0,
                )
            ]
        ) from error
    return FlowDefinition.from_dict(data)


def write_flow_file(definition: FlowDefinition) -> str:
    """Write a flow as YAML that read_flow_file reads."""
    data = to_json(definition.to_dict())
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    if yaml.safe_load(text) != data:
        # PyYAML folds U+0085 and its like in plain text and reads them back as spaces.
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=False)
    return text


def _walk(
    siblings: Sequence[StepDefinition], parent: StepDefinition | None, branch: str, depth: int
) -> Iterator[tuple[StepDefinition, StepDefinition | None, str, int, int]]:
    for position, step in enumerate(siblings):
        yield step, parent, branch, position, depth
        for name, children in step.branches.items():
            yield from _walk(children, step, name, depth + 1)


def _problem(message: str, *, where: str = "flow") -> DefinitionError:
    return DefinitionError([Problem(message=message, where=where)])


def _refuse_unknown(data: Mapping[str, Any], known: set[str], *, where: str) -> None:
    unknown = sorted(set(map(str, data)) - known)
    if unknown:
        raise _problem(
            f"has unknown entries: {', '.join(unknown)} (known: {', '.join(sorted(known))})",
            where=where,
        )


def _mappings(value: Any, *, where: str) -> tuple[Mapping[str, Any], ...]:
    items = value or ()
    if not isinstance(items, list | tuple) or not all(isinstance(i, Mapping) for i in items):
        raise _problem("must be a list of mappings", where=where)
    return tuple(items)


def _branch_name(name: Any) -> str:
    """Return a branch's name; YAML 1.1 reads an unquoted yes or no as a truth value."""
    if isinstance(name, bool):
        return "yes" if name else "no"
    return str(name)


def _mapping(value: Any, *, where: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise _problem("must be a mapping", where=where)
    return dict(value or {})


def _goals(value: Any) -> tuple[str, ...]:
    goals = [value] if isinstance(value, str) else value or ()
    if not isinstance(goals, list | tuple) or not all(isinstance(goal, str) for goal in goals):
        raise _problem("must be a list of events", where="goals")
    return tuple(goals)


def _read_limits(data: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name in limits.NAMES:
        if data.get(name) is not None:
            try:
                found[name] = limits.read(name, data[name])
            except ValueError as error:
                raise _problem(str(error), where=name) from error
    return found


def _question_problems(step: StepDefinition, where: str) -> list[Problem]:
    if step.kind not in steps.registry:
        return []
    return [
        problem
        for option in steps.registry.get(step.kind).option_fields()
        if option.metadata.get("format") == conditions.ONE and step.options.get(option.name)
        for problem in conditions.problems_of(step.options[option.name], where)
    ]


def _kind_problem(build: Any, where: str) -> list[Problem]:
    try:
        build()
    except (UnknownKind, InvalidOptions) as error:
        return [Problem(where=where, message=str(error))]
    return []


_EXAMPLE = FlowDefinition(key="example", name="Example", trigger="example")
