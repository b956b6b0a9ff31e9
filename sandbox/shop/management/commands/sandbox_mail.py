"""A mail server that delivers nothing: it keeps what arrives for the inbox page."""

from __future__ import annotations

import signal
import threading
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sandbox.shop import mailbox

#: Bytes; letters stay far below it.
_LARGEST_LETTER = 10_000_000


class Command(BaseCommand):
    """Listens for SMTP on the loopback interface and writes each letter to a file."""

    help = "Catch the shop's mail: an SMTP server whose letters are shown at /inbox/."

    def add_arguments(self, parser: CommandParser) -> None:
        """Address, folder, and how to break it."""
        parser.add_argument("--host", default=settings.SMTP_HOST)
        parser.add_argument("--port", type=int, default=settings.SMTP_PORT)
        parser.add_argument(
            "--refuse",
            metavar="REPLY",
            default="",
            help='refuse every letter with this SMTP reply, as in "451 try again later"',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen until told to stop."""
        controller = Controller(
            _Keeper(options["refuse"]),
            hostname=options["host"],
            port=options["port"],
            data_size_limit=_LARGEST_LETTER,
        )
        try:
            controller.start()
        except OSError as error:
            raise CommandError(
                f"Nothing can listen at {options['host']}:{options['port']} ({error.strerror}). "
                "Stop what uses the port, or set SMTP_PORT to another."
            ) from error
        self.stdout.write(f"Catching mail at {options['host']}:{options['port']}")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
        controller.stop()


class _Keeper:
    """Answers SMTP's DATA."""

    def __init__(self, refuse_with: str) -> None:
        self._refuse_with = refuse_with

    async def handle_DATA(  # noqa: N802 — aiosmtpd names its hooks after SMTP's verbs
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a letter, or refuse it."""
        if self._refuse_with:
            return self._refuse_with
        content = bytes(envelope.original_content or b"")
        mailbox.keep(settings.INBOX_DIR, envelope.mail_from or "", list(envelope.rcpt_tos), content)
        return "250 OK"
