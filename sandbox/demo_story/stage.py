"""Where the story is played: who did what, what came of it, and whether it is what should."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from .evidence import Arrived, News, Witness
from .table import drawn
from .visitors import DidNotWork, Visitor

_HEADS = ("what happened", "what was decided, with the compared values", "sent", "arrived by SMTP")
_WIDTHS = (30, 62, 18, 26)
_NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class Should:
    """What the story says of one person at one moment."""

    #: Verdicts in any order, as in "consent skipped no_consent".
    decided: Sequence[str] = ()
    #: Keys of templates.
    sent: Sequence[str] = ()
    #: Subjects, whole.
    arrived: Sequence[str] = ()


@dataclass(kw_only=True)
class Actor:
    """One person of the story."""

    name: str
    who: str
    visitor: Visitor
    witness: Witness
    #: Letters of the flow that arrived, oldest first.
    letters: list[Arrived] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Stage:
    """The cast, and what did not come true."""

    base_url: str
    inbox: Path
    say: Callable[[str], object]
    actors: dict[str, Actor] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def invite(self, name: str, who: str, *, language: str = "en") -> None:
        """Bring a person onto the stage."""
        email = f"{name.lower()}@example.com"
        self.actors[name] = Actor(
            name=name,
            who=who,
            visitor=Visitor(
                base_url=self.base_url, first_name=name, email=email, language=language
            ),
            witness=Witness(email=email, inbox=self.inbox),
        )

    def act(self, name: str, what: str, do: Callable[[Actor], object]) -> None:
        """Let a person do something; what does not work is a line that did not come true."""
        actor = self.actors[name]
        actor.acts.append(what)
        try:
            do(actor)
        except (DidNotWork, requests.RequestException) as error:
            self.failures.append(f"{name}: “{what}” did not work: {error}")
            actor.acts.append(f"  did not work: {error}")

    def check(self, name: str, what: str, *, true: bool) -> None:
        """Note a line that did not come true."""
        if not true:
            self.failures.append(f"{name}: {what}")

    def look(self, moment: str, story: Mapping[str, Should], *, all_rows: bool = True) -> None:
        """Collect what is new about everybody, and compare it with the story.

        Without `all_rows`, who has no part in it and of whom nothing is new gets no row.
        """
        for name, actor in self.actors.items():
            news = actor.witness.look()
            actor.letters += [one for one in news.arrived if one.public_id]
            wrong = _differences(story.get(name, Should()), news)
            self.failures += [f"{name}, {moment}: {one}" for one in wrong]
            if all_rows or wrong or actor.acts or name in story:
                actor.rows.append(_row(moment, actor, news, bool(wrong)))
            actor.acts = []

    def table(self) -> str:
        """Return what happened to everybody."""
        return "\n\n".join(
            f"{actor.name}: {actor.who}\n\n{drawn(_HEADS, actor.rows, _WIDTHS)}"
            for actor in self.actors.values()
        )


def _row(moment: str, actor: Actor, news: News, wrong: bool) -> tuple[str, str, str, str]:
    mark = "✗" if wrong else "✓"
    happened = [f"{mark} {moment}", *(f"  {act}" for act in actor.acts)]
    decided = [
        f"{one.verdict}\n  {one.compared}" if one.compared else one.verdict for one in news.decided
    ]
    arrived = [f"“{one.subject}”, {one.size / 1000:.0f} kB" for one in news.arrived]
    return (
        "\n".join(happened),
        "\n".join(decided) or _NOTHING,
        "\n".join(news.sent) or _NOTHING,
        "\n".join(arrived) or _NOTHING,
    )


def _differences(should: Should, news: News) -> list[str]:
    found = []
    pairs: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "decided": (should.decided, [one.verdict for one in news.decided]),
        "sent": (should.sent, news.sent),
        "arrived": (should.arrived, [one.subject for one in news.arrived]),
    }
    for what, (wanted, got) in pairs.items():
        if sorted(wanted) != sorted(got):
            found.append(f"{what} should be {_listed(wanted)}, but was {_listed(got)}")
    ids = sorted(one.public_id for one in news.arrived if one.public_id)
    if ids != sorted(news.sent_ids):
        found.append("the letters that arrived are not the messages that were sent")
    return found


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"“{value}”" for value in values) or "nothing"
