"""A real SMTP server for tests, which keeps what arrives."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import django
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(kw_only=True)
class SmtpSink:
    """What arrived, in order; `refuse_with` makes it refuse, as a broken mail server would."""

    port: int = 0
    #: Bytes as they came over the wire.
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    #: The connections over which letters came, by their client's address and port.
    peers: set[Any] = field(default_factory=set)
    #: An SMTP reply such as "451 try again later" that is given to every letter instead of 250.
    refuse_with: str = ""
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def messages(self) -> list[EmailMessage]:
        """Return what arrived, parsed."""
        return [parsed(raw) for raw in self.raw]

    def wait_for(self, count: int, timeout: float = 10.0) -> list[EmailMessage]:
        """Wait until this many letters arrived (seconds); raises TimeoutError."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.raw) >= count, timeout):
                raise TimeoutError(f"{len(self.raw)} of {count} letters arrived in {timeout} s")
        return self.messages

    def clear(self) -> None:
        """Forget what arrived."""
        with self._arrived:
            self.raw.clear()
            self.envelopes.clear()
            self.peers.clear()

    async def handle_DATA(  # noqa: N802 — aiosmtpd names its hooks after SMTP's verbs
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a letter."""
        if self.refuse_with:
            return self.refuse_with
        with self._arrived:
            self.raw.append(bytes(envelope.original_content or b""))
            self.envelopes.append(envelope)
            self.peers.add(session.peer)
            self._arrived.notify_all()
        return "250 OK"


def parsed(raw: bytes) -> EmailMessage:
    """Parse a letter with the modern policy."""
    message = message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


class _FreePortController(Controller):
    """Listens on a port that the system chooses."""

    def _trigger_server(self) -> None:
        # The base class connects to the port it was given, which is 0 here.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def running_sink() -> Iterator[SmtpSink]:
    """Run an SMTP server on a free port of the loopback interface."""
    sink = SmtpSink()
    controller = _FreePortController(sink, hostname="127.0.0.1", port=0)
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()


def use_sink(settings: Any, sink: SmtpSink) -> None:
    """Send Django's mail to a sink."""
    use_backend(
        settings,
        "django.core.mail.backends.smtp.EmailBackend",
        host="127.0.0.1",
        port=sink.port,
        timeout=10,
    )


def use_backend(settings: Any, backend: str, **options: Any) -> None:
    """Send Django's mail through a backend; options are host, port, timeout and the like.

    Django 6.1 has MAILERS, and no EMAIL_* settings where it is set.
    """
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        use_email_settings(settings, backend, **options)


def use_email_settings(settings: Any, backend: str, **options: Any) -> None:
    """Send Django's mail through a backend as a project says it that knows no MAILERS yet."""
    if hasattr(settings, "MAILERS"):
        del settings.MAILERS
    with warnings.catch_warnings():
        # The very point: Django 6.1 says that they are deprecated.
        warnings.simplefilter("ignore")
        settings.EMAIL_BACKEND = backend
        for name, value in options.items():
            setattr(settings, f"EMAIL_{name.upper()}", value)
