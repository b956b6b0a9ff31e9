"""What is wrong or odd in a flow though it could be published; `triggers_check` tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import pgettext

from .. import events, steps
from ..conf import PROMOTIONAL, TRANSACTIONAL, triggers_settings
from ..content import tags
from ..content.grammar import LOOP_FACTS
from ..content.letters import CompiledLetter
from ..definitions import FlowDefinition, StepDefinition
from ..engine import templates
from ..engine.checking import Finding, Level, advise
from ..kinds import format_duration, parse_duration, read_time
from ..limits import POSTPONE, WEEKDAYS, SendWindow
from ..models import Flow

#: The event that ends a reminder of something to buy.
_PURCHASE = "order_placed"
_BOUGHT = ("basket", "product")
_DAY = 24 * 60


def _finding(
    level: Level, rule: str, step: StepDefinition | None, message: str, advice: str, where: str = ""
) -> Finding:
    return Finding(
        level=level,
        rule=rule,
        where=f"steps › {step.key}" if step else where,
        message=message,
        advice=advice,
    )


@advise
def unreachable_steps(definition: FlowDefinition) -> list[Finding]:
    """Name steps that nobody comes to: behind an end or a jump, or in an arm of no weight."""
    found: list[Finding] = []
    _look_for_unreachable(definition.steps, found)
    return found


def _look_for_unreachable(siblings: Sequence[StepDefinition], found: list[Finding]) -> None:
    for position, step in enumerate(siblings):
        for name, children in step.branches.items():
            if children and not _is_taken(step, name):
                found.append(
                    _finding(
                        Level.WARNING,
                        "unreachable",
                        children[0],
                        pgettext("triggers", "nobody comes here: “%(branch)s” has no weight")
                        % {"branch": name},
                        pgettext("triggers", "give the branch a weight, or take its steps out"),
                    )
                )
            _look_for_unreachable(children, found)
        if _always_leaves(step) and position + 1 < len(siblings):
            found.append(
                _finding(
                    Level.ERROR,
                    "unreachable",
                    siblings[position + 1],
                    pgettext("triggers", "nobody comes here: everybody leaves at “%(step)s”")
                    % {"step": step.key},
                    pgettext("triggers", "take it out, or move it before that step"),
                )
            )


def _branches_of(step: StepDefinition) -> tuple[str, ...]:
    return steps.registry.get(step.kind).branches if step.kind in steps.registry else ()


def _is_taken(step: StepDefinition, branch: str) -> bool:
    weights = step.options.get("weights")
    if not isinstance(weights, Mapping):
        return True
    return bool(weights.get(branch))


def _always_leaves(step: StepDefinition) -> bool:
    if step.kind in ("exit", "jump"):
        return True
    names = [name for name in _branches_of(step) if _is_taken(step, name)]
    return bool(names) and all(
        any(_always_leaves(child) for child in step.branches.get(name, ())) for name in names
    )


@advise
def branches_without_steps(definition: FlowDefinition) -> list[Finding]:
    """Name questions whose answer changes nothing."""
    return [
        _finding(
            Level.WARNING,
            "empty_branches",
            step,
            pgettext("triggers", "every way out of it is empty: the answer changes nothing"),
            pgettext("triggers", "put steps into a branch, or take it out"),
        )
        for step, *_rest in definition.walk()
        if step.kind in ("branch", "split") and not any(step.branches.values())
    ]


@advise
def reminders_end_with_the_purchase(definition: FlowDefinition) -> list[Finding]:
    """Name promotional flows about something to buy that go on after it was bought."""
    if (
        definition.stream != PROMOTIONAL
        or definition.trigger not in events.registry
        or events.registry.get(definition.trigger).about_type not in _BOUGHT
        or _PURCHASE in definition.goals
        or any(
            step.kind == "wait_for_event" and step.options.get("event") == _PURCHASE
            for step, *_rest in definition.walk()
        )
    ):
        return []
    return [
        _finding(
            Level.WARNING,
            "exit_on_purchase",
            None,
            pgettext("triggers", "nobody leaves this flow by buying"),
            pgettext("triggers", "add '%(event)s' to the goals") % {"event": _PURCHASE},
            where="goals",
        )
    ]


@advise
def vouchers_in_letters_that_only_inform(definition: FlowDefinition) -> list[Finding]:
    """Name vouchers in a transactional flow: they make it advertising, which needs a consent."""
    if definition.stream != TRANSACTIONAL:
        return []
    return [
        _finding(
            Level.WARNING,
            "consent_basis",
            step,
            pgettext("triggers", "a voucher makes this letter advertising, sent without consent"),
            pgettext("triggers", "make the flow promotional, or take the voucher out"),
        )
        for step, *_rest in definition.walk()
        if step.kind == "voucher" or step.options.get("voucher")
    ]


@advise
def letters_say_what_the_flow_knows(definition: FlowDefinition) -> list[Finding]:
    """Name merge tags that have no value in a flow about such a thing, and missing languages."""
    if definition.trigger not in events.registry:
        return []
    about_type = events.registry.get(definition.trigger).about_type
    known = tags.with_lists(tag.path for tag in tags.tags_for(about_type)) | {*LOOP_FACTS}
    found: list[Finding] = []
    for step, template, language, letter in _letters(definition):
        unknown = sorted(letter.paths - known)
        if unknown:
            found.append(
                _finding(
                    Level.ERROR,
                    "merge_tags",
                    None,
                    pgettext("triggers", "%(tags)s: a flow of this trigger does not know it")
                    % {"tags": ", ".join(unknown)},
                    pgettext("triggers", "take it out of the letter, or choose another trigger"),
                    where=f"steps › {step.key} › {template} ({language})",
                )
            )
    return found + _missing_languages(definition)


def _missing_languages(definition: FlowDefinition) -> list[Finding]:
    shop = settings.LANGUAGE_CODE.lower()
    found = []
    for step in _sends(definition):
        there = {name.lower() for name in templates.languages(str(step.options.get("template")))}
        if there and not there & {shop, shop.split("-")[0]}:
            found.append(
                _finding(
                    Level.WARNING,
                    "languages",
                    step,
                    pgettext(
                        "triggers", "its letter is not written in the shop's language, %(code)s"
                    )
                    % {"code": settings.LANGUAGE_CODE},
                    pgettext("triggers", "publish it in that language too"),
                )
            )
    return found


@advise
def vouchers_outlive_their_reminders(definition: FlowDefinition) -> list[Finding]:
    """Name letters that speak of a voucher which is over by then."""
    speaking = {
        step.key
        for step, _template, _language, letter in _letters(definition)
        if any(path.startswith("voucher.") for path in letter.paths)
    }
    found: list[Finding] = []
    for path in _paths(definition.steps):
        valid: timedelta | None = None
        since = timedelta()
        for step in path:
            since += _wait_of(step)
            granted = _voucher_of(step)
            if granted is not None:
                valid, since = granted, timedelta()
            elif step.key in speaking and valid is not None and since >= valid:
                found.append(
                    _finding(
                        Level.WARNING,
                        "voucher_over",
                        step,
                        pgettext(
                            "triggers", "its voucher is over after %(valid)s, this comes later"
                        )
                        % {"valid": format_duration(valid)},
                        pgettext("triggers", "make the voucher valid for longer, or wait less"),
                    )
                )
    return list(dict.fromkeys(found))


@advise
def links_outlive_waits(definition: FlowDefinition) -> list[Finding]:
    """Name waits after which the link back to the basket, in the letter before, works no more."""
    valid = triggers_settings().restore_link_valid
    if (
        definition.trigger not in events.registry
        or events.registry.get(definition.trigger).about_type != "basket"
    ):
        return []
    return [
        _finding(
            Level.WARNING,
            "links_over",
            step,
            pgettext("triggers", "links of the letter before end after %(valid)s")
            % {"valid": format_duration(valid)},
            pgettext("triggers", "wait less, or raise RESTORE_LINK_VALID"),
        )
        for step, *_rest in definition.walk()
        if _wait_of(step) > valid
    ]


@advise
def letters_are_not_too_late_after_a_pause(definition: FlowDefinition) -> list[Finding]:
    """Name hours without letters that are longer than a letter may be late."""
    if definition.when_limited != POSTPONE:
        return []
    found: list[Finding] = []
    closed = _closed_for(definition.send_window)
    if closed >= definition.max_lateness:
        found.append(_late("send_window", closed, definition))
    if definition.stream != PROMOTIONAL:
        return found
    quiet = triggers_settings().quiet_hours
    for channel in dict.fromkeys(
        str(step.options.get("channel", "email")) for step in _sends(definition)
    ):
        hours = quiet.get(channel, quiet.get("*"))
        if hours and (length := _length(*hours)) >= definition.max_lateness:
            found.append(_late(f"QUIET_HOURS, {channel}", length, definition))
    return found


def _late(where: str, closed: timedelta, definition: FlowDefinition) -> Finding:
    return _finding(
        Level.WARNING,
        "lateness",
        None,
        pgettext("triggers", "closed for %(closed)s, but letters are too late after %(lateness)s")
        % {
            "closed": format_duration(closed),
            "lateness": format_duration(definition.max_lateness),
        },
        pgettext("triggers", "raise max_lateness, or open for longer"),
        where=where,
    )


def _closed_for(window: SendWindow | None) -> timedelta:
    """Return the longest time without letters in a week."""
    if window is None:
        return timedelta()
    opens = window.from_.hour * 60 + window.from_.minute
    length = int(_length(f"{window.from_:%H:%M}", f"{window.until:%H:%M}").total_seconds() // 60)
    starts = sorted(WEEKDAYS.index(day) * _DAY + opens for day in window.days)
    following = [*starts[1:], *(start + 7 * _DAY for start in starts[:1])]
    gaps = [after - start - length for start, after in zip(starts, following, strict=True)]
    return timedelta(minutes=max(0, *gaps, 0))


def _length(start: str, end: str) -> timedelta:
    first, last = read_time(start), read_time(end)
    minutes = (last.hour - first.hour) * 60 + last.minute - first.minute
    return timedelta(minutes=minutes if minutes > 0 else minutes + _DAY)


@advise
def jumps_do_not_go_round(definition: FlowDefinition) -> list[Finding]:
    """Name jumps into flows that jump back, or that do not run."""
    found: list[Finding] = []
    targets = [(step, str(step.options.get("flow", ""))) for step in _of_kind(definition, "jump")]
    if not targets:
        return []
    live = _jumps_of_live_flows()
    for step, target in targets:
        if target not in live:
            found.append(
                _finding(
                    Level.ERROR,
                    "jump",
                    step,
                    pgettext("triggers", "the flow '%(key)s' is not live") % {"key": target},
                    pgettext("triggers", "publish it first, or jump to another one"),
                )
            )
        elif definition.key in _reachable(target, live):
            found.append(
                _finding(
                    Level.WARNING,
                    "jump_loop",
                    step,
                    pgettext("triggers", "'%(key)s' jumps back here: who comes again is let out")
                    % {"key": target},
                    pgettext("triggers", "end one of the two flows instead"),
                )
            )
    return found


def _jumps_of_live_flows() -> dict[str, set[str]]:
    jumps: dict[str, set[str]] = {}
    for flow in Flow.objects.filter(live_version__isnull=False).select_related("live_version"):
        assert flow.live_version is not None
        definition = FlowDefinition.from_dict(flow.live_version.definition)
        jumps[flow.key] = {
            str(step.options.get("flow", "")) for step in _of_kind(definition, "jump")
        }
    return jumps


def _reachable(start: str, jumps: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    open_ = [start]
    while open_:
        for target in jumps.get(open_.pop(), ()):
            if target not in seen:
                seen.add(target)
                open_.append(target)
    return seen


def _of_kind(definition: FlowDefinition, kind: str) -> list[StepDefinition]:
    return [step for step, *_rest in definition.walk() if step.kind == kind]


def _sends(definition: FlowDefinition) -> list[StepDefinition]:
    return _of_kind(definition, "send")


def _letters(
    definition: FlowDefinition,
) -> Iterator[tuple[StepDefinition, str, str, CompiledLetter]]:
    """Yield each Send step with its published letters, one for each language."""
    for step in _sends(definition):
        template = str(step.options.get("template", ""))
        for language in templates.languages(template):
            version = templates.live(template, language)
            try:
                letter = CompiledLetter.from_json(version.compiled)
            except (ValueError, KeyError):
                continue  # Compiled by another release: `problems` says so.
            yield step, template, language, letter


def _paths(siblings: Sequence[StepDefinition]) -> Iterator[list[StepDefinition]]:
    """Yield the ways through a flow, as many as an author could mean."""
    ways: list[list[StepDefinition]] = [[]]
    for step in siblings:
        inside = [way for children in step.branches.values() for way in _paths(children)] or [[]]
        ways = [[*way, step, *rest] for way in ways for rest in inside][:256]
    yield from ways


def _duration(value: Any) -> timedelta:
    try:
        return parse_duration(str(value))
    except ValueError:
        return timedelta()


def _wait_of(step: StepDefinition) -> timedelta:
    return _duration(step.options.get("duration")) if step.kind == "wait" else timedelta()


def _voucher_of(step: StepDefinition) -> timedelta | None:
    """Return how long the voucher of a step is valid; None for a step without one."""
    options = step.options.get("voucher")
    if step.kind not in ("send", "voucher") or not isinstance(options, Mapping):
        return None
    return _duration(options.get("valid", "7d")) or None
