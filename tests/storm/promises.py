"""What each storm's figures must keep, and how a figure is told in docs/trust.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]

#: Processes that hand over in the storm of kills, and in the others.
_KILLED, _HANDS = 2, 4
#: Beside lease and tick: the survivor first finishes the batch in its hands, on a busy machine.
_RECOVERY_SLACK = 4.0
_SHARE_OF_HITS = 0.8


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A promise that a storm's figures do not keep."""

    promise: str
    found: Any

    def __str__(self) -> str:
        return f"{self.promise} (found: {self.found})"


def kills(figures: Figures) -> list[Broken]:
    """Nothing lost; doubts and duplicates no more than what was in the hands of the killed."""
    # A server that goes takes what both workers have in hand.
    deaths = figures["workers_that_ended"] + _KILLED * figures["postgres_restarts"]
    in_doubt = deaths * figures.get("group", 1)
    holds = figures["on_doubt"] == "hold"
    return _broken(
        ("0 letters lost", figures["lost"], figures["lost"] == 0),
        ("nobody else got one", figures["strangers"], figures["strangers"] == 0),
        (
            "0 duplicates" if holds else "no more duplicates than kills",
            figures["duplicates"],
            figures["duplicates"] <= (0 if holds else figures["kills"] * figures.get("group", 1)),
        ),
        (
            f"at most {in_doubt} in doubt" if holds else "0 in doubt",
            figures["unknown"],
            figures["unknown"] <= (in_doubt if holds else 0),
        ),
        (
            "every letter is sent or listed as unknown",
            figures["states"],
            set(figures["states"]) <= {"sent", "unknown"}
            and sum(figures["states"].values()) == figures["letters"],
        ),
        (
            f"at least {_SHARE_OF_HITS:.0%} of the kills hit a worker that was handing over",
            f"{figures['kills_while_handing_over']} of {figures['kills']}",
            figures["kills_while_handing_over"] >= _SHARE_OF_HITS * figures["kills"],
        ),
        ("everything taken over", figures["never_recovered"], figures["never_recovered"] == 0),
        (
            "taken over within lease, tick and a batch",
            figures["slowest_recovery"],
            figures["slowest_recovery"] <= figures["lease_and_tick"] + _RECOVERY_SLACK,
        ),
        *_only_doorbells(figures),
    )


def sqlite(figures: Figures) -> list[Broken]:
    """The same, and the visitor never meets a locked database."""
    return kills(figures) + _broken(
        ("the visitor saw pages", figures["visitor_pages"], figures["visitor_pages"] > 50),
        (
            "no page of the visitor failed",
            figures["visitor_first_fault"],
            figures["visitor_faults"] == 0,
        ),
        (
            'nobody met "database is locked"',
            figures["database_is_locked"],
            figures["database_is_locked"] + figures["visitor_locked"] == 0,
        ),
    )


def crowd(figures: Figures) -> list[Broken]:
    """One letter each, whoever rings how often."""
    letters = figures["letters"]
    counted = ("accepted", "accepted_distinct", "journal_rows", "enrollments", "messages")
    return _broken(
        *((f"{letters} {name}", figures[name], figures[name] == letters) for name in counted),
        ("one attempt each", figures["attempts"], figures["attempts"] == [1]),
        (
            "one letter about the act that was told often",
            figures["letters_about_the_act_told_often"],
            figures["letters_about_the_act_told_often"] == 1,
        ),
        ("nothing fell over", figures["tracebacks"], figures["tracebacks"] == 0),
        *_only_doorbells(figures),
    )


def outage(figures: Figures) -> list[Broken]:
    """No attempt burned, drained at the set rate, what expired says so."""
    # A letter in the hands of the four when the connection broke is a doubt, not a failure.
    unknown = figures["states"].get("unknown", 0)
    rate, measured = figures["rate_set"], figures["rate_measured"]
    return _broken(
        ("0 attempts burned", figures["attempts_burned"], figures["attempts_burned"] == 0),
        (
            "one attempt each in the end",
            figures["attempts_of_the_sent"],
            set(figures["attempts_of_the_sent"]) <= {1, "1"},
        ),
        (f"at most {_HANDS} in doubt", unknown, unknown <= _HANDS),
        (
            "all sent",
            figures["states"],
            figures["states"].get("sent", 0) + unknown == figures["letters"],
        ),
        ("0 duplicates", figures["duplicates"], figures["duplicates"] == 0),
        (f"drains at {rate} a second ± 5 %", measured, abs(measured - rate) <= rate * 0.05),
        (
            "what expired is not sent, and says so",
            (figures["expired"], figures["expired_that_say_so"]),
            figures["expired"] == figures["expired_that_say_so"] == figures["expiring"]
            and figures["expired_that_arrived"] == 0,
        ),
    )


def mountain(figures: Figures) -> list[Broken]:
    """A receipt overtakes every promotion."""
    return _broken(
        ("at most 2 s", figures["delay_worst"], figures["delay_worst"] <= 2.0),
        (
            "the mountain was there until the end",
            figures["promotions_still_due_at_the_end"],
            figures["promotions_still_due_at_the_end"] > 0,
        ),
    )


def pace(figures: Figures) -> list[Broken]:
    """At twenty a second, 99 of 100 letters are accepted within two seconds of being due."""
    p99 = figures["due_to_accepted_p99"]
    return _broken(("99 of 100 within 2 s", p99, p99 <= 2.0))


def staging(figures: Figures) -> list[Broken]:
    """A dump sends nothing before somebody adopts it."""
    due = figures["letters_due"]
    strangers = [figures["sent_from_another_environment"], figures["sent_from_another_address"]]
    return _broken(
        ("0 letters from a dump started elsewhere", strangers, strangers == [0, 0]),
        (
            "the production goes on",
            figures["sent_from_production"],
            figures["sent_from_production"] == due,
        ),
        (
            "adopted, it sends",
            figures["sent_after_adopting"],
            figures["sent_after_adopting"] == due,
        ),
    )


def poison(figures: Figures) -> list[Broken]:
    """The poison is dead after three workers; everybody else has a letter."""
    others = figures["letters"] - 1
    return _broken(
        (
            f"{others} sent and one dead",
            figures["states"],
            figures["states"] == {"sent": others, "dead": 1},
        ),
        (
            "one letter each",
            figures["accepted"],
            figures["accepted"] == figures["accepted_distinct"] == others,
        ),
        (
            "at most 3 workers died",
            figures["workers_that_died"],
            figures["workers_that_died"] <= 3,
        ),
    )


def deeds(figures: Figures) -> list[Broken]:
    """No mark follows the commit of what stops a letter."""
    return _broken(
        (
            "no mark after the commit",
            figures["marked_late"],
            figures["marked_late"] == 0,
        ),
    )


PROMISES: dict[str, Callable[[Figures], list[Broken]]] = {
    "kills": kills,
    "sqlite": sqlite,
    "crowd": crowd,
    "outage": outage,
    "mountain": mountain,
    "pace": pace,
    "staging": staging,
    "poison": poison,
    "deeds": deeds,
}


def _only_doorbells(figures: Figures) -> list[tuple[str, Any, bool]]:
    if "celery_messages" not in figures:
        return []
    times = figures["celery_messages_with_eta"]
    more = figures["celery_messages_with_more_than_ids"]
    return [
        ("Celery was used", figures["celery_messages"], figures["celery_messages"] > 0),
        ("no message with an ETA", times, times == 0),
        ("no message with more than ids", more, more == 0),
    ]


def _broken(*promises: tuple[str, Any, bool]) -> list[Broken]:
    return [Broken(promise=said, found=found) for said, found, kept in promises if not kept]
