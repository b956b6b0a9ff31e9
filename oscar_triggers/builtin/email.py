"""The e-mail channel: any Django backend, one connection for a batch, one receipt per letter."""

from __future__ import annotations

import inspect
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from functools import cached_property
from typing import Any, ClassVar
from weakref import WeakSet

from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as DjangoSmtpBackend
from django.utils.translation import pgettext_lazy

from .. import channels
from ..channels import Channel, Outcome, Parcel, Receipt
from ..content import wire
from ..policy.points import normalise_email
from . import answers
from .smtp import DEFAULT_TIMEOUT, EmailBackend

LONGEST_LINE = 998
#: HTTP answers about the shop's account or the provider's health, not about a letter.
_DOWN = frozenset({401, 402, 403, 408, 429, 503})


class LetterMessage(EmailMultiAlternatives):
    """A letter for backends that build or read the message themselves.

    ASCII headers are never folded: Django 6.1 would turn a long List-Unsubscribe into encoded
    words, which Gmail ignores. Django 5.2 takes no policy, but its messages have one.
    """

    def message(self, **kwargs: Any) -> Any:
        """Build the MIME message."""
        if "policy" in inspect.signature(EmailMultiAlternatives.message).parameters:
            chosen = kwargs.get("policy") or policy.default
            kwargs["policy"] = chosen.clone(max_line_length=LONGEST_LINE)
            return super().message(**kwargs)
        message: Any = super().message(**kwargs)
        message.policy = message.policy.clone(max_line_length=LONGEST_LINE)
        return message


@channels.register
@dataclass(frozen=True, kw_only=True)
class EmailChannel(Channel):
    """E-mail through the project's own Django mail settings."""

    kind: ClassVar[str] = "email"
    label: ClassVar[Any] = pgettext_lazy("triggers", "E-mail")
    content: ClassVar[str] = channels.EMAIL_CONTENT

    @cached_property
    def _post(self) -> _Post:
        return _Post()

    def normalise(self, value: str) -> str:
        """Return an address in lower case with its domain in ASCII; raises ValueError."""
        return normalise_email(value)

    def takes_bytes(self) -> bool:
        """Return whether the project's mail backend is our own."""
        return self._post.takes_bytes()

    def send_many(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Hand over letter by letter on one connection; a refused one spares its neighbours."""
        receipts: list[Receipt] = []
        while len(receipts) < len(parcels):
            receipts += self._post.hand_over_each(parcels[len(receipts) :])
            if self._post.unreachable:
                receipts += [
                    answers.receipt(
                        rest,
                        Outcome.UNTOUCHED,
                        "The mail server could not be reached.",
                        provider=self._post.provider,
                    )
                    for rest in parcels[len(receipts) :]
                ]
        return receipts

    def close(self) -> None:
        """Close the connection of the batch."""
        self._post.close()


def _has_dots(parcel: Parcel) -> bool:
    """Say whether a line of its bytes may begin with a dot; of our own letters none does."""
    return not isinstance(parcel.raw, wire.Filled)


class _Post:
    """One Django mail connection, and what is known of its state."""

    def __init__(self) -> None:
        self.connection: BaseEmailBackend | None = None
        #: Whether the last letter failed because no connection could be opened.
        self.unreachable = False
        #: Whether the whole text of the letter in hand has left Django's SMTP client.
        self.content_left = False
        self.provider = ""
        self._watched: WeakSet[smtplib.SMTP] = WeakSet()

    def hand_over(self, parcel: Parcel) -> Receipt:
        """Hand one letter over and say what became of it; never raises."""
        self.unreachable = False
        try:
            return self._hand_over(parcel)
        except Exception as error:  # noqa: BLE001 - a receipt says what a backend raised
            return self._for_error(parcel, error)

    def hand_over_each(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Hand over as many of the first letters as go without a break, at least one; never raises."""
        if parcels[1:] and self.takes_bytes() and self._is_talking():
            receipts = self._at_once(parcels)
            if receipts:
                return receipts
        return [self.hand_over(parcels[0])]

    def _at_once(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Send letters behind each other on the open connection, up to the first break.

        What had not left when it broke gets no receipt here: it goes once more, alone.
        """
        connection = self.connection
        assert isinstance(connection, EmailBackend)
        self.unreachable = False
        written: list[tuple[str, str, bytes, bool]] = []
        receipts: list[Receipt] = []
        for parcel in parcels:
            sender = wire.envelope_address(parcel.from_)
            if parcel.raw is None or not (parcel.to.isascii() and sender.isascii()):
                break
            try:
                written.append((sender, parcel.to, parcel.raw(), _has_dots(parcel)))
            except Exception:  # noqa: BLE001 - alone it gets the receipt that says so
                break
        try:
            for parcel, answer in zip(parcels, connection.send_each(written), strict=False):
                receipts.append(
                    answers.for_reply(
                        parcel, answer.stage, answer.code, answer.said, provider=self.provider
                    )
                )
                if answers.is_closing(answer.code):
                    self._drop()
                    break
        except Exception:  # noqa: BLE001 - a receipt says what broke, or another try
            broken = parcels[len(receipts)]
            may_have_arrived = connection.content_left
            self._drop()
            if may_have_arrived:
                detail = "The connection broke before the server answered."
                receipts.append(
                    answers.receipt(
                        broken,
                        Outcome.UNKNOWN,
                        detail,
                        provider=self.provider,
                        provider_is_down=True,
                    )
                )
        return receipts

    def close(self) -> None:
        """Close the connection; what goes wrong at a good-bye harms no letter."""
        connection, self.connection = self.connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:  # noqa: BLE001, S110 - every letter has its receipt already
                pass

    def _hand_over(self, parcel: Parcel) -> Receipt:
        if not parcel.to.isascii():
            detail = "Mailboxes beyond ASCII are not supported."
            return answers.receipt(parcel, Outcome.REFUSED, detail, provider=self.provider)
        try:
            self._connection()
        except Exception as error:  # noqa: BLE001 - settings that make no backend, say
            return self._not_reached(parcel, error)
        letter = self._write(parcel)
        for is_last_try in (False, True):
            was_open = self._is_talking()
            try:
                self._open()
            except Exception as error:  # noqa: BLE001 - nothing was handed over
                return self._not_reached(parcel, error)
            try:
                return self._send(parcel, letter)
            except (smtplib.SMTPException, OSError) as error:
                if not isinstance(self.connection, DjangoSmtpBackend):
                    raise
                known = self._for_smtp(parcel, error)
                if known is not None:
                    return known
                may_have_arrived = self._content_left()
                self._drop()
                if may_have_arrived:
                    detail = "The connection broke before the server answered."
                    return answers.receipt(
                        parcel,
                        Outcome.UNKNOWN,
                        detail,
                        provider=self.provider,
                        provider_is_down=True,
                    )
                # An idle connection that the server closed is no failure of this letter.
                if is_last_try or not was_open:
                    detail = "The server closed the connection."
                    return answers.receipt(
                        parcel,
                        Outcome.FAILED,
                        detail,
                        provider=self.provider,
                        provider_is_down=True,
                    )
        raise AssertionError("both tries return")

    def _not_reached(self, parcel: Parcel, error: Exception) -> Receipt:
        self.close()
        self.unreachable = True
        detail = f"No connection: {type(error).__name__} {error}"
        return answers.receipt(
            parcel, Outcome.FAILED, detail, provider=self.provider, provider_is_down=True
        )

    def _connection(self) -> BaseEmailBackend:
        """Return the project's backend, made once and not yet talking to anybody."""
        if self.connection is None:
            self.connection = _default_connection()
            backend = type(self.connection)
            self.provider = f"{backend.__module__}.{backend.__qualname__}"[:60]
            if isinstance(self.connection, DjangoSmtpBackend) and self.connection.timeout is None:
                self.connection.timeout = DEFAULT_TIMEOUT
        return self.connection

    def _open(self) -> None:
        connection = self._connection()
        connection.open()
        if isinstance(connection, DjangoSmtpBackend) and connection.connection:
            self._watch(connection.connection)

    def takes_bytes(self) -> bool:
        """Say whether letters go as ready bytes; a backend that cannot be made takes nothing."""
        try:
            return isinstance(self._connection(), EmailBackend)
        except Exception:  # noqa: BLE001 - the hand-over says so, with a receipt for each letter
            return False

    def _is_talking(self) -> bool:
        return getattr(self.connection, "connection", None) is not None

    def _write(self, parcel: Parcel) -> LetterMessage | bytes:
        """Return the letter in the form that the backend takes."""
        connection = self._connection()
        if parcel.raw is not None and isinstance(connection, EmailBackend):
            return parcel.raw()
        message = LetterMessage(
            subject=parcel.subject,
            body=parcel.text,
            from_email=parcel.from_,
            to=[parcel.to],
            reply_to=[parcel.reply_to] if parcel.reply_to else None,
            headers=dict(parcel.headers),
        )
        if parcel.html:
            message.attach_alternative(parcel.html, "text/html")
        if type(connection).__module__.startswith("anymail."):
            message.metadata = dict(parcel.metadata)  # type: ignore[attr-defined]  # Anymail reads it
            message.tags = [parcel.metadata["flow"]] if parcel.metadata.get("flow") else []  # type: ignore[attr-defined]  # Anymail reads it
        return message

    def _send(self, parcel: Parcel, letter: LetterMessage | bytes) -> Receipt:
        connection = self.connection
        self.content_left = False
        if isinstance(letter, bytes):
            assert isinstance(connection, EmailBackend)
            sender = wire.envelope_address(parcel.from_)
            answer = connection.send_ready(sender, parcel.to, letter, _has_dots(parcel))
            if answers.is_closing(answer.code):
                self._drop()
            return answers.for_reply(
                parcel, answer.stage, answer.code, answer.said, provider=self.provider
            )
        assert connection is not None
        accepted = connection.send_messages([letter])
        if not accepted:
            detail = "The backend accepted nothing."
            return answers.receipt(parcel, Outcome.FAILED, detail, provider=self.provider)
        return self._for_accepted(parcel, letter)

    def _for_accepted(self, parcel: Parcel, letter: LetterMessage) -> Receipt:
        status = getattr(letter, "anymail_status", None)
        provider_id = parcel.headers.get("Message-ID", "").strip("<>")
        if status is not None:
            said = getattr(status, "status", None) or set()
            if isinstance(status.message_id, str | int):
                provider_id = str(status.message_id)
            if said and said <= {"rejected", "invalid", "failed"}:
                return answers.receipt(
                    parcel,
                    Outcome.FAILED if said == {"failed"} else Outcome.REFUSED,
                    f"The provider said: {', '.join(sorted(said))}.",
                    provider=self.provider,
                    provider_id=provider_id,
                    point_is_dead=said == {"invalid"},
                )
        return answers.receipt(
            parcel, Outcome.SENT, provider=self.provider, provider_id=provider_id
        )

    def _for_smtp(self, parcel: Parcel, error: Exception) -> Receipt | None:
        if not isinstance(error, smtplib.SMTPException):
            return None
        known = answers.for_smtp_error(parcel, error, provider=self.provider)
        code = getattr(error, "smtp_code", 0)
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code = next(iter(error.recipients.values()))[0]
        if answers.is_closing(code):
            self._drop()
        return known

    def _for_error(self, parcel: Parcel, error: Exception) -> Receipt:
        """Return the receipt of what a backend raised that is no SMTP refusal."""
        detail = f"{type(error).__name__}"
        name = type(error).__name__
        status = getattr(error, "status_code", None)
        outcome, is_down = Outcome.UNKNOWN, False
        if name == "AnymailRecipientsRefused":
            outcome = Outcome.REFUSED
        elif isinstance(status, int):
            detail = f"{name}: the provider answered {status}."
            if status in (400, 413, 422):
                outcome = Outcome.REFUSED
            elif status < 500 or status == 503:
                outcome = Outcome.FAILED
                is_down = status in _DOWN
        elif type(error.__cause__).__name__ in ("ConnectTimeout", "ConnectTimeoutError"):
            outcome, is_down = Outcome.FAILED, True
        elif isinstance(error, ValueError | TypeError | LookupError) and not self._content_left():
            # The letter could not even be written: a header, an address, a missing setting.
            outcome = Outcome.FAILED
        return answers.receipt(
            parcel,
            outcome,
            detail,
            provider=self.provider,
            provider_is_down=is_down,
            retry_after_seconds=_retry_after(error),
        )

    # ── Django's own SMTP backend ────────────────────────────────────────────────────────────

    def _watch(self, client: smtplib.SMTP) -> None:
        """Note when the text of a letter has left, which smtplib's errors do not tell."""
        if client in self._watched:
            return
        self._watched.add(client)
        original = client.send

        def send(data: Any) -> None:
            original(data)
            if isinstance(data, bytes) and data.endswith(b"\r\n.\r\n"):
                self.content_left = True

        setattr(client, "send", send)  # noqa: B010 - of this connection only

    def _content_left(self) -> bool:
        if isinstance(self.connection, EmailBackend):
            return self.connection.content_left or self.content_left
        return self.content_left

    def _drop(self) -> None:
        """Forget a connection that the server closed."""
        connection, self.connection = self.connection, None
        if isinstance(connection, DjangoSmtpBackend) and connection.connection is not None:
            client, connection.connection = connection.connection, None
            client.close()


def _retry_after(error: Exception) -> float:
    """Return how long an HTTP provider asked to be left alone (seconds; RFC 9110, 10.2.3)."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    told = str(headers.get("Retry-After", ""))
    return float(told) if told.isdecimal() else 0.0


def _default_connection() -> BaseEmailBackend:
    """Return the project's mail connection, whichever way this Django spells it."""
    mailers = getattr(mail, "mailers", None)
    connection: BaseEmailBackend = mail.get_connection() if mailers is None else mailers.default
    return connection
