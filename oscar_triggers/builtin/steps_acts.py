"""The steps that do something beside writing: Voucher, Update, Notify."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import pgettext, pgettext_lazy

from .. import signals, steps
from ..engine import catches, faults, fields, incentives, installation
from ..engine.fields import Change, InvalidField
from ..exceptions import InvalidOptions
from ..kinds import option
from ..models import Enrollment
from ..models.sql import database_for
from ..steps import Advance, Outcome, Step, StepVisit
from . import staff_mail
from .moments import zone_for

logger = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"\{(\w*)\}")
#: What the words of a Notify step can name: ids only, no personal data in mailboxes of staff.
_KNOWN = ("flow", "step", "enrollment", "contact", "about", "language", "rehearsal")


@steps.register
@dataclass(frozen=True, kw_only=True)
class Voucher(Step):
    """Grants a personal voucher that expires; letters after it can name its code.

    One of two ways is taken: a person gets one voucher in OSCAR_TRIGGERS["INCENTIVE_EVERY"], and
    the step may have a limit and a budget for each month.
    """

    kind: ClassVar[str] = "voucher"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Makes a voucher code for the person, which the next letters can show."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Grant a voucher")
    icon: ClassVar[str] = "pick"
    holds_contact: ClassVar[bool] = True
    branches: ClassVar[tuple[str, ...]] = ("granted", "not_granted")

    voucher: dict[str, Any] = option(
        label=pgettext_lazy("triggers", "Personal voucher"), format="voucher"
    )

    def __post_init__(self) -> None:
        """Refuse a voucher that cannot be granted."""
        if "voucher" in incentives.registry:
            problems = incentives.registry.get("voucher").problems(self.voucher)
            if problems:
                raise InvalidOptions("; ".join(problem.message for problem in problems))

    def run(self, visit: StepVisit, now: datetime) -> Outcome:
        """Grant it once for each coming to the step; a rehearsal grants nothing."""
        if visit.is_shadow:
            return Advance(branch="granted", compared={"rehearsal": True})
        granted = incentives.grant_for_step(
            visit.subject.enrollment_id,
            visit.step_key,
            visit.pass_no,
            visit.subject.contact_id,
            self.voucher,
            now,
        )
        if isinstance(granted, incentives.Limited):
            return Advance(
                branch="not_granted", compared={"reason": granted.reason, **granted.compared}
            )
        return Advance(branch="granted", compared={"grant": granted.pk})


def _change_choices() -> list[tuple[str, Any]]:
    return [
        (fields.SET, pgettext_lazy("triggers", "set a field")),
        (fields.CLEAR, pgettext_lazy("triggers", "empty a field")),
        (fields.ADD_TAG, pgettext_lazy("triggers", "put a tag on")),
        (fields.REMOVE_TAG, pgettext_lazy("triggers", "take a tag off")),
    ]


@steps.register
@dataclass(frozen=True, kw_only=True)
class Update(Step):
    """Changes what is known of the contact: a field, or a tag."""

    kind: ClassVar[str] = "update"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Gives the person a mark or takes one away, or notes something about them."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Change the contact")
    icon: ClassVar[str] = "edit"
    holds_contact: ClassVar[bool] = True

    change: str = option(
        default=fields.SET, label=pgettext_lazy("triggers", "What to do"), choices=_change_choices
    )
    name: str = option(label=pgettext_lazy("triggers", "Field or tag"))
    value: str = option(
        default="",
        label=pgettext_lazy("triggers", "Value"),
        help_text=pgettext_lazy(
            "triggers", "For a field. {today} is the day on which the contact comes here."
        ),
    )

    def __post_init__(self) -> None:
        """Refuse a change that is none, a name that cannot be kept, and a field without value."""
        if self.change not in (fields.SET, fields.CLEAR, fields.ADD_TAG, fields.REMOVE_TAG):
            raise ValueError(
                pgettext("triggers", "%(option)s must be one of %(known)s")
                % {"option": "change", "known": "set, clear, add_tag, remove_tag"}
            )
        if self.change == fields.SET and not self.value:
            raise ValueError(pgettext("triggers", "needs a value; to empty a field, choose that"))
        try:
            if self.change in (fields.SET, fields.CLEAR):
                fields.check_name(self.name)
                fields.check_value(self.value)
            else:
                fields.check_tag(self.name)
        except InvalidField as error:
            raise ValueError(str(error)) from error

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Change all together; a rehearsal changes nothing."""
        fields.change_many(
            [
                Change(
                    contact_id=visit.subject.contact_id,
                    what=self.change,
                    name=self.name,
                    value=self._value(visit, now) if self.change == fields.SET else None,
                )
                for visit in visits
                if not visit.is_shadow
            ],
            now,
        )
        return [
            Advance(
                compared={
                    "change": self.change,
                    "name": self.name,
                    **({"rehearsal": True} if visit.is_shadow else {}),
                }
            )
            for visit in visits
        ]

    def _value(self, visit: StepVisit, now: datetime) -> str:
        today = now.astimezone(zone_for(visit.subject)).date().isoformat()
        return self.value.replace("{today}", today)


@steps.register
@dataclass(frozen=True, kw_only=True)
class Notify(Step):
    """Tells staff, by e-mail and by the signal `staff_notified`, that someone came here.

    Told after it is written down that it was told: once for each coming, and not at all where
    the process dies in between. A mail server that is down delays nobody in the flow.
    """

    kind: ClassVar[str] = "notify"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Writes to a colleague, as when somebody should call."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Tell staff")
    icon: ClassVar[str] = "bell"

    to: tuple[str, ...] = option(
        default=(),
        label=pgettext_lazy("triggers", "Addresses"),
        help_text=pgettext_lazy("triggers", "Of staff. Without any, only the shop's code is told."),
    )
    subject: str = option(default="", label=pgettext_lazy("triggers", "Subject"))
    text: str = option(
        default="",
        label=pgettext_lazy("triggers", "Text"),
        help_text=pgettext_lazy(
            "triggers",
            "Can name {flow}, {step}, {enrollment}, {contact}, {about}, {language}, {rehearsal}: "
            "numbers and keys, no personal data.",
        ),
        format="multiline",
    )

    def __post_init__(self) -> None:
        """Refuse addresses that are none, and names in braces that stand for nothing."""
        for address in self.to:
            try:
                validate_email(address)
            except ValidationError as error:
                raise ValueError(
                    pgettext("triggers", "'%(text)s' is no e-mail address") % {"text": address}
                ) from error
        if self.to and not self.subject.strip():
            raise ValueError(pgettext("triggers", "needs a subject"))
        if "\n" in self.subject or "\r" in self.subject:
            raise ValueError(pgettext("triggers", "the subject must be one line"))
        for name in _PLACEHOLDER.findall(self.subject + self.text):
            if name not in _KNOWN:
                raise ValueError(
                    pgettext("triggers", "{%(name)s} stands for nothing (known: %(known)s)")
                    % {"name": name, "known": ", ".join(_KNOWN)}
                )

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Go on; staff are told once that is committed. A rehearsal tells nobody."""
        real = [visit for visit in visits if not visit.is_shadow]
        if real:

            def tell() -> None:
                # A function of its own: Django's log of a failure would show a partial's values.
                self._tell(real)

            transaction.on_commit(tell, using=database_for(Enrollment), robust=True)
        return [
            Advance(compared={"rehearsal": True} if visit.is_shadow else {}) for visit in visits
        ]

    def _tell(self, visits: Sequence[StepVisit]) -> None:
        for visit in visits:
            subject = visit.subject
            for _receiver, answer in signals.staff_notified.send_robust(
                sender=None,
                enrollment_id=subject.enrollment_id,
                flow_id=subject.flow_id,
                contact_id=subject.contact_id,
                step_key=visit.step_key,
                text=self._filled(self.text, visit),
            ):
                if isinstance(answer, Exception):
                    logger.error("A receiver of staff_notified: %s", faults.told(answer))
        self._mail(visits)

    def _mail(self, visits: Sequence[StepVisit]) -> None:
        staff = catches.let_staff(self.to)
        if not staff:
            return
        held = installation.hold_reason()
        if held:
            logger.warning("%d notices to staff are not sent: %s", len(visits), held)
            return
        letters = [
            EmailMessage(
                subject=self._filled(self.subject, visit),
                body=self._filled(self.text, visit),
                to=staff,
            )
            for visit in visits
        ]
        try:
            staff_mail.connection().send_messages(letters)
        except Exception as error:  # noqa: BLE001 - whatever the backend raises: people moved on
            logger.error(
                "%d notices to staff of step %s could not be sent: %s",
                len(letters),
                visits[0].step_key,
                faults.told(error),
            )

    def _filled(self, text: str, visit: StepVisit) -> str:
        subject = visit.subject
        values: Mapping[str, Any] = {
            "flow": subject.flow_key,
            "step": visit.step_key,
            "enrollment": subject.enrollment_id,
            "contact": subject.contact_id,
            "about": subject.about if subject.about.id else "",
            "language": subject.language,
            "rehearsal": "",
        }
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), text)
