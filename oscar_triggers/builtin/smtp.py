"""An SMTP backend that takes letters as ready bytes: nothing is built or parsed at the sending.

Opt in with `EMAIL_BACKEND = "oscar_triggers.builtin.smtp.EmailBackend"`, or on Django 6.1 with
that BACKEND in MAILERS. Every other mail of the project goes through it as through Django's own.
"""

from __future__ import annotations

import smtplib
from dataclasses import dataclass

from django.core.mail.backends import smtp

from .answers import Stage

#: How long a silent server is waited for when the project sets no timeout (seconds).
DEFAULT_TIMEOUT = 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The server's last word about one letter, and what it was about."""

    stage: Stage
    code: int
    said: bytes


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend, which also sends ready bytes, pipelined where the server can."""

    #: Whether the whole text of the letter in hand has left: from then on it may arrive.
    content_left = False

    def open(self) -> bool | None:
        """Open a connection that never waits for ever, and return what Django's backend does."""
        if self.timeout is None:
            self.timeout = DEFAULT_TIMEOUT
        return super().open()

    def send_ready(self, sender: str, recipient: str, data: bytes) -> Answer:
        """Hand over one letter on the open connection and return the server's answer.

        Raises smtplib.SMTPServerDisconnected or OSError when the connection broke; `content_left`
        then tells whether the letter may have arrived.
        """
        self.content_left = False
        connection = self.connection
        if connection is None:
            raise smtplib.SMTPServerDisconnected("open() comes first")
        connection.ehlo_or_helo_if_needed()
        if connection.has_extn("pipelining"):
            refusal = self._envelope_at_once(connection, sender, recipient)
        else:
            refusal = self._envelope(connection, sender, recipient)
        if refusal is not None:
            return refusal
        connection.send(_stuffed(data))
        self.content_left = True
        code, said = connection.getreply()
        return Answer(stage=Stage.CONTENT, code=code, said=said)

    @staticmethod
    def _envelope(connection: smtplib.SMTP, sender: str, recipient: str) -> Answer | None:
        code, said = connection.mail(sender)
        if code != 250:
            connection.rset()
            return Answer(stage=Stage.SENDER, code=code, said=said)
        code, said = connection.rcpt(recipient)
        if code not in (250, 251):
            connection.rset()
            return Answer(stage=Stage.RECIPIENT, code=code, said=said)
        code, said = connection.docmd("DATA")
        if code != 354:
            connection.rset()
            return Answer(stage=Stage.CONTENT, code=code, said=said)
        return None

    @staticmethod
    def _envelope_at_once(connection: smtplib.SMTP, sender: str, recipient: str) -> Answer | None:
        """Say all three commands in one packet (RFC 2920), then read the three answers."""
        connection.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n")
        mail, rcpt, data = (connection.getreply() for _command in range(3))
        refusal: Answer | None = None
        if mail[0] != 250:
            refusal = Answer(stage=Stage.SENDER, code=mail[0], said=mail[1])
        elif rcpt[0] not in (250, 251):
            refusal = Answer(stage=Stage.RECIPIENT, code=rcpt[0], said=rcpt[1])
        elif data[0] != 354:
            refusal = Answer(stage=Stage.CONTENT, code=data[0], said=data[1])
        if refusal is None:
            return None
        if data[0] == 354:
            # The server waits for a text although nobody is to get it.
            connection.send(b".\r\n")
            connection.getreply()
        else:
            connection.rset()
        return refusal


def _stuffed(data: bytes) -> bytes:
    """Return a message as DATA wants it: dots at line beginnings doubled, a dot at the end."""
    stuffed = data.replace(b"\n.", b"\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    return stuffed + b".\r\n"
