"""The steps that every flow needs: Send, Wait, Branch and Exit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import channels, conditions, steps
from ..engine import incentives, planning, templates
from ..exceptions import InvalidOptions
from ..kinds import option
from ..models import ExitReason
from ..steps import Advance, Outcome, Step, StepVisit, WaitUntil


def _channel_choices() -> list[tuple[str, Any]]:
    return [(kind, channel.label or kind) for kind, channel in channels.registry.items()]


def _exit_choices() -> list[tuple[str, Any]]:
    return [
        (ExitReason.COMPLETED.value, ExitReason.COMPLETED.label),
        (ExitReason.GOAL.value, ExitReason.GOAL.label),
        (ExitReason.CANCELLED.value, pgettext_lazy("triggers", "stopped by this step")),
    ]


@steps.register
@dataclass(frozen=True, kw_only=True)
class Send(Step):
    """Owes the contact one message; it leaves through the outbox, after the policy agreed."""

    kind: ClassVar[str] = "send"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Sends a letter or a text, if the person may be written to."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Send a message")
    icon: ClassVar[str] = "mail"

    template: str = option(label=pgettext_lazy("triggers", "Template"), format="template")
    channel: str = option(
        default="email", label=pgettext_lazy("triggers", "Channel"), choices=_channel_choices
    )
    reply_to: str = option(
        default="",
        label=pgettext_lazy("triggers", "Answers go to"),
        help_text=pgettext_lazy(
            "triggers", "An address that a person reads. Empty: the shop's usual one."
        ),
        format="email",
    )
    voucher: dict[str, Any] | None = option(
        default=None,
        label=pgettext_lazy("triggers", "Personal voucher"),
        help_text=pgettext_lazy(
            "triggers", "A single-use code that is made for this message and expires."
        ),
        format="voucher",
    )

    def __post_init__(self) -> None:
        """Refuse a voucher that cannot be granted."""
        if self.voucher is not None and "voucher" in incentives.registry:
            problems = incentives.registry.get("voucher").problems(self.voucher)
            if problems:
                raise InvalidOptions("; ".join(problem.message for problem in problems))

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Plan one message for each visit, in a constant number of statements."""
        template_id = templates.template_id(self.template)
        planning.plan_many(
            [
                planning.Plan(
                    visit=visit,
                    template_id=template_id,
                    channel=self.channel,
                    options={
                        key: value
                        for key, value in self.to_options().items()
                        if key in ("reply_to", "voucher") and value
                    },
                )
                for visit in visits
            ],
            now,
        )
        return [Advance() for _visit in visits]


@steps.register
@dataclass(frozen=True, kw_only=True)
class Wait(Step):
    """Lets time pass since the last message, or since the shopper last did something."""

    kind: ClassVar[str] = "wait"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Lets time pass, counted from the last letter or from what the person did last."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Wait")
    icon: ClassVar[str] = "time"
    is_wait: ClassVar[bool] = True

    duration: timedelta = option(
        label=pgettext_lazy("triggers", "How long"),
        help_text=pgettext_lazy(
            "triggers", "Counted from the last message, or from what the shopper did since."
        ),
    )

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Go on once the time has passed; asked again when a message on its way is settled.

        While the message before it is still on its way, its time has not begun: a letter that
        is tried again for hours is not overtaken by the next one.
        """
        on_the_way = planning.with_messages_on_the_way(
            [visit.subject.enrollment_id for visit in visits]
        )
        return [
            self._outcome(visit, now, still=visit.subject.enrollment_id in on_the_way)
            for visit in visits
        ]

    def _outcome(self, visit: StepVisit, now: datetime, *, still: bool) -> Outcome:
        start = now if still else visit.subject.clock_at
        end = start + self.duration
        if end > now or still:
            return WaitUntil(moment=end)
        return Advance(due_at=max(end, visit.due_at))


@steps.register
@dataclass(frozen=True, kw_only=True)
class Branch(Step):
    """Asks one condition and goes one of two ways; people rejoin at the next step."""

    kind: ClassVar[str] = "branch"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Asks a question and goes one of two ways."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Branch")
    icon: ClassVar[str] = "decimal"
    branches: ClassVar[tuple[str, ...]] = ("yes", "no")

    condition: dict[str, Any] = option(
        label=pgettext_lazy("triggers", "Question"), format="condition"
    )

    def __post_init__(self) -> None:
        """Refuse a question that no installed app can answer."""
        conditions.from_options(self.condition)

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Answer for all visits together."""
        question = conditions.from_options(self.condition)
        verdicts = question.holds_many([visit.subject for visit in visits], now)
        return [
            Advance(
                branch="yes" if verdict.holds else "no",
                compared={"condition": question.kind, **verdict.compared},
            )
            for verdict in verdicts
        ]


@steps.register
@dataclass(frozen=True, kw_only=True)
class Exit(Step):
    """Ends the flow for those who come here."""

    kind: ClassVar[str] = "exit"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Ends the flow for the person here.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "End")
    icon: ClassVar[str] = "cross"

    reason: str = option(
        default=ExitReason.COMPLETED.value,
        label=pgettext_lazy("triggers", "Count it as"),
        choices=_exit_choices,
    )

    def __post_init__(self) -> None:
        """Refuse a reason that is none."""
        if self.reason not in ExitReason.values:
            raise ValueError(
                pgettext("triggers", "reason must be one of %(known)s")
                % {"known": ", ".join(ExitReason.values)}
            )

    def run(self, visit: StepVisit, now: datetime) -> Outcome:
        """Leave."""
        return steps.Exit(reason=self.reason)
