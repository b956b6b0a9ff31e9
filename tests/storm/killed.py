"""The storm of kills: workers die while they hand over, Redis and PostgreSQL go down under them."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from tests.storm.ground import Ground, asked, lease_names
from tests.storm.listening import Listener
from tests.storm.processes import Process, Supervisor, wait_until

TICK = 1.0
_Answer = TypeVar("_Answer")


@dataclass(kw_only=True)
class Kill:
    """One SIGKILL of a whole worker, and what was in its hands."""

    at: float
    owners: tuple[str, ...]
    #: Dispatches that it left marked `sending`: it was handing these over.
    in_hand_over: int
    #: After how many seconds none of its leases stood any more.
    recovered_after: float | None = None
    #: Whether nothing but the worker was down until then.
    is_measured: bool = True


@dataclass(kw_only=True)
class Plan:
    """How hard it blows."""

    letters: int
    kills: int
    redis_kills: int = 0
    postgres_restarts: int = 0
    on_doubt: str = "hold"
    lease: float = 3.0
    #: Share of the letters that are due before it begins; the others become due meanwhile.
    due_before: float = 0.8
    seed: int = 1


@dataclass(kw_only=True)
class Storm:
    """One storm: the workers, who kills them, and what is seen."""

    ground: Ground
    plan: Plan
    workers: Sequence[Process]
    kills: list[Kill] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def rage(self) -> None:
        """Kill until all kills of the plan are done, and servers in between."""
        chance = random.Random(self.plan.seed)
        calendar = self._calendar()
        for number in range(self.plan.kills):
            for what in calendar.get(number, ()):
                self._strike(what)
            self._kill(chance.choice(self.workers), chance)
        self._look_at_recoveries()

    def _calendar(self) -> dict[int, list[str]]:
        """Say before which kill which server goes down: evenly over the storm."""
        calendar: dict[int, list[str]] = {}
        for what, times in (
            ("redis", self.plan.redis_kills),
            ("postgres", self.plan.postgres_restarts),
        ):
            for turn in range(times):
                calendar.setdefault(self.plan.kills * (turn + 1) // (times + 1), []).append(what)
        return calendar

    def _strike(self, what: str) -> None:
        # In the thick of it: where somebody is handing over.
        self._await(lambda: bool(self._marks(self._all_owners())), 20)
        for kill in self.kills:
            # How fast workers recover is not measured where the servers went down meanwhile.
            kill.is_measured = kill.is_measured and kill.recovered_after is not None
        if what == "redis":
            assert self.ground.redis is not None
            self.ground.redis.kill()
            time.sleep(1.0)
            self.ground.redis.start()
        else:
            assert self.ground.postgres is not None
            self.ground.postgres.restart_at_once()
        self.events.append(what)

    def _all_owners(self) -> tuple[str, ...]:
        return tuple(name for worker in self.workers for name in lease_names(worker))

    def _kill(self, victim: Process, chance: random.Random) -> None:
        """Wait until a worker is handing over, and cut its power somewhere in it."""
        seen: set[int] = set()

        def caught() -> tuple[str, ...]:
            # Another one stands, or nobody could take over what this one leaves.
            if not victim.stands or all(one is victim or not one.stands for one in self.workers):
                return ()
            owners = lease_names(victim)
            now = self._marks(owners)
            begun = now - seen
            seen.clear()
            seen.update(now)
            if not begun:
                return ()
            # Early or late in it, before or after the server accepted: but still in it.
            time.sleep(chance.uniform(0.0, 0.7) * self.ground.sink.delay)
            return owners if begun & self._marks(owners) else ()

        # Not for ever: a kill that hits an idle worker counts as one that missed.
        owners = self._await(caught, 30) or lease_names(victim)
        victim.kill()
        # What its connections had already sent is still carried out.
        time.sleep(0.15)
        left = len(self._marks(owners))
        self.kills.append(Kill(at=time.monotonic(), owners=owners, in_hand_over=left))

    def _await(self, truth: Callable[[], _Answer], patience: float) -> _Answer:
        """Return what `truth` says, as soon as that is something or after `patience` seconds."""
        began = time.monotonic()
        while not (said := truth()) and time.monotonic() - began < patience:
            self._look_at_recoveries()
            time.sleep(0.004)
        return said

    def _marks(self, owners: tuple[str, ...]) -> set[int]:
        from oscar_triggers.models import DispatchState

        if not owners:
            return set()
        return asked(lambda: set(held(owners, DispatchState.SENDING).values_list("pk", flat=True)))

    def _look_at_recoveries(self) -> None:
        from oscar_triggers.models import DispatchState

        for kill in self.kills:
            if kill.recovered_after is None and not asked(
                lambda kill=kill: held(  # type: ignore[misc]  # a loop's own value
                    kill.owners, DispatchState.LEASED, DispatchState.SENDING
                ).exists()
            ):
                kill.recovered_after = time.monotonic() - kill.at

    def settle(self) -> None:
        """Wait until every letter has its end, and every dead worker's leases are taken over."""

        def is_over() -> bool:
            self._look_at_recoveries()
            return asked(self._is_over)

        wait_until(is_over, 60 + self.plan.letters / 5, "every letter has its end", pause=0.25)
        time.sleep(self.plan.lease + TICK)  # for whoever would send one again
        self._look_at_recoveries()

    def _is_over(self) -> bool:
        from oscar_triggers.models import Message, MessageState

        messages = Message.objects
        return (
            not messages.filter(state=MessageState.PLANNED).exists()
            and messages.count() == self.plan.letters
        )


def held(owners: Sequence[str], *states: str) -> Any:
    """Return the dispatches in some states that the owner of one of those leases holds."""
    from django.db.models import Q

    from oscar_triggers.models import Dispatch

    mine = reduce(or_, (Q(lease_owner__startswith=owner) for owner in owners), Q(pk__in=[]))
    return Dispatch.objects.filter(mine, state__in=states)


def rage_over_celery(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Send all letters with two Celery workers and a beat, that are killed; return the figures."""
    from tests.storm.world import plan_cards, publish_card_flow

    publish_card_flow(on_doubt=plan.on_doubt)
    plan_cards(int(plan.letters * plan.due_before))
    # One letter in hand each: so a kill leaves one doubt at most.
    workers = [ground.worker(f"worker-{n}", concurrency=1) for n in range(2)]
    return _rage(ground, plan, workers, [ground.beat()])


def rage_over_runners(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Do the same with `triggers_run` twice on SQLite, beside a visitor of the shop."""
    from tests.storm.visitor import report
    from tests.storm.world import plan_cards, publish_card_flow

    publish_card_flow(on_doubt=plan.on_doubt)
    plan_cards(int(plan.letters * plan.due_before))
    runners = [ground.runner(f"runner-{n}", every=0.2) for n in range(2)]
    visits = ground.folder / "visits.log"
    visitor = ground.process("visitor", "-m", "tests.storm.visitor", str(visits))
    figures = _rage(ground, plan, runners, [visitor])
    return {**figures, **report(visits, visitor.said)}


def _rage(
    ground: Ground, plan: Plan, workers: Sequence[Process], others: Sequence[Process]
) -> dict[str, Any]:
    storm = Storm(ground=ground, plan=plan, workers=workers)
    began = time.monotonic()
    with ExitStack() as ends:
        listener = ends.enter_context(Listener(ground.redis)) if ground.redis else None
        supervisor = ends.enter_context(Supervisor([*workers, *others]))
        shop = threading.Thread(target=_go_on_trading, args=(plan,))
        shop.start()
        storm.rage()
        shop.join()
        storm.settle()
        seconds = time.monotonic() - began
        restarts, said = supervisor.restarts, supervisor.said
    return {
        **_figures(ground, storm),
        "seconds": round(seconds),
        "restarts": restarts,
        "database_is_locked": said.count("database is locked"),
        **(listener.report() if listener else {}),
    }


def _go_on_trading(plan: Plan) -> None:
    """Record the rest of the events while the storm rages, a few at a time."""
    from django.db import connection

    from oscar_triggers.engine import intake
    from tests.storm.world import card_records

    records = asked(lambda: card_records(plan.letters)[int(plan.letters * plan.due_before) :])
    few = max(1, len(records) // 20)
    for start in range(0, len(records), few):
        asked(lambda start=start: intake.record_many(records[start : start + few]))  # type: ignore[misc]  # a loop's own value
        time.sleep(0.5)
    connection.close()


def _figures(ground: Ground, storm: Storm) -> dict[str, Any]:
    from oscar_triggers.models import Dispatch, DispatchState, Message

    plan, kills = storm.plan, storm.kills
    accepted = ground.sink.accepted()
    recipients = Counter(letter.recipient for letter in accepted)
    unknown = set(
        Dispatch.objects.filter(state=DispatchState.UNKNOWN).values_list(
            "point__normalised", flat=True
        )
    )
    expected = {f"person-{number}@example.com" for number in range(plan.letters)}
    recovered = [
        kill.recovered_after
        for kill in kills
        if kill.is_measured and kill.recovered_after is not None
    ]
    return {
        "letters": plan.letters,
        "on_doubt": plan.on_doubt,
        "kills": len(kills),
        # Celery's workers also end by themselves when Redis goes.
        "workers_that_ended": sum(worker.starts - 1 for worker in storm.workers),
        "kills_while_handing_over": sum(1 for kill in kills if kill.in_hand_over),
        "in_hand_over_at_kills": sum(kill.in_hand_over for kill in kills),
        "redis_kills": storm.events.count("redis"),
        "postgres_restarts": storm.events.count("postgres"),
        "accepted": len(accepted),
        "accepted_distinct": len(recipients),
        "message_ids": len({letter.message_id for letter in accepted}),
        "duplicates": len(accepted) - len(recipients),
        "unknown": len(unknown),
        "unknown_and_accepted": len(unknown & set(recipients)),
        "lost": len(expected - set(recipients) - unknown),
        "strangers": len(set(recipients) - expected),
        "states": dict(Counter(Message.objects.values_list("state", flat=True))),
        "lease_and_tick": plan.lease + TICK,
        "slowest_recovery": round(max(recovered, default=0.0), 1),
        "recoveries_measured": len(recovered),
        "never_recovered": sum(1 for kill in kills if kill.recovered_after is None),
    }
