"""Moving: what becomes of people on their way when a flow gets another version."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import pgettext, pgettext_lazy

from .. import steps
from ..definitions import FlowDefinition
from ..exceptions import TriggersError
from ..models import (
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowVersion,
    MessageItem,
    MessageState,
)
from . import enrollments, planning, plans, resolving
from .decisions import Note, note_many

KEEP = "keep"
MOVE = "move"
STOP = "stop"
#: What may become of people on their way, with what an editor reads.
CHOICES = {
    KEEP: pgettext_lazy("triggers", "finish the version that they entered with"),
    MOVE: pgettext_lazy("triggers", "go on in the new version"),
    STOP: pgettext_lazy("triggers", "leave the flow"),
}

#: SQLite takes 32,766 values in one statement.
_AT_ONCE = 1_000
_OPEN = (
    DispatchState.PLANNED,
    DispatchState.RETRY,
    DispatchState.LEASED,
    DispatchState.SENDING,
)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How many people stand at one step of one version, and what each choice does with them."""

    #: Number of the version that they are in.
    version: int
    #: "" for those who took the last step and are about to leave.
    step_key: str
    step_name: str
    people: int = 0
    #: Of them: held, because the engine could not go on.
    held: int = 0
    #: Of them: with a letter on its way. It leaves as planned, except by "stop".
    with_message: int = 0
    #: Whether the step is in the new version, under the same key and of the same kind.
    step_exists: bool = True
    #: Whether the key is there and means another kind of step: it counts as gone and new.
    kind_changed: bool = False
    #: Where "move" puts them: the key of a step in the new version, "" for the flow's end.
    destination: str = ""
    destination_name: str = ""

    def what_becomes(self, choice: str) -> str:
        """Say in plain words what a choice does with these people."""
        if choice == KEEP:
            return pgettext("triggers", "finish version %(number)d") % {"number": self.version}
        if choice == STOP:
            return pgettext("triggers", "leave; letters not handed over yet are cancelled")
        if not self.destination:
            return pgettext("triggers", "leave: nothing comes after it in the new version")
        if self.destination == self.step_key:
            return pgettext("triggers", "stay at this step, in the new version")
        return pgettext("triggers", "go on at “%(step)s”") % {"step": self.destination_name}


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How many people stayed in their version, were moved, came to the end, or were stopped."""

    kept: int = 0
    moved: int = 0
    completed: int = 0
    stopped: int = 0

    @property
    def total(self) -> int:
        """Return how many were on their way."""
        return self.kept + self.moved + self.completed + self.stopped


@dataclass(frozen=True, kw_only=True)
class MigrationPreview:
    """Who stands where in a flow, and what each choice would do, counted at one moment (W4)."""

    flow_key: str
    #: When it was counted (UTC); None when the caller did not say.
    at: datetime | None
    lines: tuple[Standing, ...]

    @property
    def total(self) -> int:
        """Return how many people are on their way in other versions than the new one."""
        return sum(line.people for line in self.lines)

    @property
    def lost(self) -> tuple[Standing, ...]:
        """Return the lines of steps that no longer exist and where somebody stands."""
        return tuple(line for line in self.lines if line.people and not line.step_exists)

    def outcome(self, choice: str) -> Moved:
        """Return what a choice does, in numbers; raises TriggersError for an unknown one."""
        check_choice(choice)
        if choice == KEEP:
            return Moved(kept=self.total)
        if choice == STOP:
            return Moved(stopped=self.total)
        moved = sum(line.people for line in self.lines if line.destination)
        return Moved(moved=moved, completed=self.total - moved)


@dataclass(frozen=True, kw_only=True)
class _Row:
    pk: int
    version_id: int
    step_key: str
    state: str
    due_at: datetime | None
    #: Steps that were taken, in this version or in earlier ones.
    taken: frozenset[str]


def check_choice(choice: str) -> None:
    """Refuse what is no choice; raises TriggersError."""
    if choice not in CHOICES:
        raise TriggersError(
            pgettext("triggers", "'%(choice)s' is no choice for people on their way; use %(known)s")
            % {"choice": choice, "known": ", ".join(CHOICES)}
        )


def preview(
    old: FlowVersion | FlowDefinition,
    new: FlowVersion | FlowDefinition | None,
    now: datetime | None,
) -> MigrationPreview:
    """Count who stands where, and say where "move" would put them (W4).

    Everybody on the way in the flow is counted, also those whom earlier publishing kept in older
    versions; the steps of `old` are listed even where nobody stands. Without a new version it
    only says who stands where, also in the live one.
    """
    key, before = _plan_of(old)
    after = before if new is None else _plan_of(new)[1]
    flow = Flow.objects.filter(key=key).first()
    rows = list(_rows(flow, _published(flow, new))) if flow is not None else []
    writing = _with_messages([row.pk for row in rows])
    old_plans = _plans_of(rows)
    numbers = {pk: version.number for pk, version in old_plans.items()}
    here = _number(flow, old)
    people: Counter[tuple[int, str, str]] = Counter()
    held: Counter[tuple[int, str, str]] = Counter()
    letters: Counter[tuple[int, str, str]] = Counter()
    for row in rows:
        place = (
            numbers[row.version_id],
            row.step_key,
            destination(plans.plan_of(old_plans[row.version_id]), after, row.step_key, row.taken),
        )
        people[place] += 1
        held[place] += row.state == EnrollmentState.HELD
        letters[place] += row.pk in writing
    by_number = {version.number: plans.plan_of(version) for version in old_plans.values()}
    places = list(people)
    for step, *_rest in before.definition.walk():
        if not any(place[:2] == (here, step.key) for place in places):
            places.append((here, step.key, destination(before, after, step.key, frozenset())))
    order = {step.key: index for index, (step, *_rest) in enumerate(before.definition.walk())}
    places.sort(key=lambda place: (-place[0], order.get(place[1], len(order)), place[1:]))
    return MigrationPreview(
        flow_key=key,
        at=now,
        lines=tuple(
            _standing(
                place, by_number.get(place[0], before), after,
                people[place], held[place], letters[place],
            )
            for place in places
        ),
    )  # fmt: skip


def _standing(
    place: tuple[int, str, str], plan: plans.Plan, after: plans.Plan,
    people: int, held: int, letters: int,
) -> Standing:  # fmt: skip
    number, key, goes_to = place
    return Standing(
        version=number,
        step_key=key,
        step_name=_name(plan, key),
        people=people,
        held=held,
        with_message=letters,
        step_exists=not key or survives(plan, after, key),
        kind_changed=key in after.by_key and not survives(plan, after, key),
        destination=goes_to,
        destination_name=_name(after, goes_to),
    )


def survives(old: plans.Plan, new: plans.Plan, key: str) -> bool:
    """Say whether a step of the old version is in the new one: same key, same kind."""
    return key in old.by_key and key in new.by_key and old.by_key[key].kind == new.by_key[key].kind


def destination(old: plans.Plan, new: plans.Plan, key: str, taken: frozenset[str]) -> str:
    """Return where someone who stands at a step goes on in the new version, "" at the end.

    That is the step itself, or the next one after it in the old order that survives and was not
    taken yet; from inside a branch the way leads out of it.
    """
    while key and (key in taken or not survives(old, new, key)):
        key = old.following.get(key, "")
    return key


def place(flow: Flow, target: FlowVersion, choice: str, now: datetime) -> Moved:
    """Do with everybody who is on the way in other versions what was chosen; return the numbers.

    Runs in the caller's transaction. The rows are locked in the order of their ids, as
    `advancing` locks them. Whoever leased one before finds it no longer theirs.
    """
    check_choice(choice)
    if choice == STOP:
        # In the order in which settling locks: the dispatch first, the enrollment after it.
        list(
            Dispatch.objects.select_for_update()
            .filter(message__flow=flow, state__in=_OPEN)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
    rows = list(_rows(flow, target, lock=True))
    if not rows:
        return Moved()
    if choice == KEEP:
        moved = Moved(kept=len(rows))
        held = [row.pk for row in rows if row.state == EnrollmentState.HELD]
        for chunk in _chunks(held):
            resolving.except_restored(Enrollment.objects.filter(pk__in=chunk)).update(
                state=EnrollmentState.ACTIVE, crashes=0
            )
    elif choice == STOP:
        _leave(rows, target, ExitReason.CANCELLED, STOP, now)
        moved = Moved(stopped=len(rows))
    else:
        moved = _move(rows, target, now)
    verdict = {KEEP: "kept", MOVE: "moved", STOP: "stopped"}[choice]
    counted = {name: count for name, count in vars(moved).items() if count}
    note_many(
        [
            Note(
                rule="publish",
                verdict=verdict,
                compared={"to_version": target.number, **counted},
                flow_id=flow.pk,
            )
        ],
        now,
    )
    return moved


def _move(rows: Sequence[_Row], target: FlowVersion, now: datetime) -> Moved:
    after = plans.plan_of(target)
    old_plans = _plans_of(rows)
    groups: dict[tuple[str, frozenset[str], bool], list[_Row]] = defaultdict(list)
    leaving: list[_Row] = []
    for row in rows:
        before = plans.plan_of(old_plans[row.version_id])
        goes_to = destination(before, after, row.step_key, row.taken)
        if goes_to:
            groups[goes_to, row.taken, _is_overdue(row, now)].append(row)
        else:
            leaving.append(row)
    lane = planning.lane_of(after.definition.stream)
    for (goes_to, taken, overdue), group in groups.items():
        # Asked at once in the new version, so that nobody waits for a step that is gone. What is
        # overdue stays as late as it is: a flow that stood still floods nobody by being edited.
        due = {} if overdue else {"due_at": now}
        for chunk in _chunks([row.pk for row in group]):
            Enrollment.objects.filter(pk__in=chunk).update(
                version=target,
                step_key=goes_to,
                skips=sorted(taken),
                state=EnrollmentState.ACTIVE,
                lane=lane,
                awaits="",
                woken_by=None,
                crashes=0,
                lease_owner="",
                leased_until=None,
                **due,
            )
        # Waits that count from the arrival begin now, for who comes to another step by it.
        for chunk in _chunks([row.pk for row in group if row.step_key != goes_to]):
            Enrollment.objects.filter(pk__in=chunk).update(arrived_at=now)
        note_many(
            [
                Note(
                    rule="publish",
                    verdict="moved",
                    compared={
                        "from_version": old_plans[row.version_id].number,
                        "from_step": row.step_key,
                        "to_version": target.number,
                        "to_step": goes_to,
                    },
                    enrollment_id=row.pk,
                    flow_id=target.flow_id,
                )
                for row in group
            ],
            now,
        )
    _leave(leaving, target, ExitReason.COMPLETED, MOVE, now)
    return Moved(moved=len(rows) - len(leaving), completed=len(leaving))


def _is_overdue(row: _Row, now: datetime) -> bool:
    return row.state == EnrollmentState.ACTIVE and row.due_at is not None and row.due_at < now


def _leave(
    rows: Sequence[_Row], target: FlowVersion, reason: ExitReason, choice: str, now: datetime
) -> None:
    """End enrollments; only "stop" takes back letters that are on their way."""
    old_plans = _plans_of(rows)
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row in rows:
        groups[row.version_id, row.step_key].append(row.pk)
    for (version_id, step_key), ids in groups.items():
        for chunk in _chunks(ids):
            enrollments.exit_many(
                chunk,
                reason,
                now,
                rule="publish",
                compared={
                    "choice": choice,
                    "from_version": old_plans[version_id].number,
                    "from_step": step_key,
                    "to_version": target.number,
                },
                cancel=choice == STOP,
            )


def _rows(flow: Flow, target: FlowVersion | None, *, lock: bool = False) -> Iterator[_Row]:
    """Yield those on the way in other versions than the target."""
    wanted = Enrollment.objects.filter(flow=flow, state__in=enrollments.UNFINISHED).order_by("pk")
    if target is not None:
        wanted = wanted.exclude(version=target)
    if lock:
        wanted = wanted.select_for_update(no_key=True)
    for pk, version_id, step_key, state, due_at, passes, skips in wanted.values_list(
        "pk", "version_id", "step_key", "state", "due_at", "passes", "skips"
    ):
        taken = frozenset({key for key, count in passes.items() if count} | set(skips))
        yield _Row(
            pk=pk,
            version_id=version_id,
            step_key=step_key,
            state=state,
            due_at=due_at,
            taken=taken,
        )


def _plans_of(rows: Sequence[_Row]) -> Mapping[int, FlowVersion]:
    return FlowVersion.objects.in_bulk({row.version_id for row in rows})


def _with_messages(ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for chunk in _chunks(ids):
        found |= set(
            MessageItem.objects.filter(
                enrollment_id__in=chunk, message__state=MessageState.PLANNED
            ).values_list("enrollment_id", flat=True)
        )
    return found


def _plan_of(flow: FlowVersion | FlowDefinition) -> tuple[str, plans.Plan]:
    plan = plans.plan_of(flow) if isinstance(flow, FlowVersion) else plans.plan_from(flow)
    return plan.definition.key, plan


def _published(flow: Flow, new: FlowVersion | FlowDefinition | None) -> FlowVersion | None:
    """Return the version that publishing `new` would make live, where it exists already."""
    if new is None or isinstance(new, FlowVersion):
        return new
    live = flow.live_version
    return live if live is not None and live.content_hash == new.content_hash() else None


def _number(flow: Flow | None, old: FlowVersion | FlowDefinition) -> int:
    if isinstance(old, FlowVersion):
        return old.number
    if flow is None or flow.live_version is None:
        return 0
    return flow.live_version.number


def _name(plan: plans.Plan, key: str) -> str:
    if not key or key not in plan.by_key:
        return key
    kind = plan.by_key[key].kind
    label = steps.registry.get(kind).label if kind in steps.registry else kind
    return f"{label} ({key})"


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
