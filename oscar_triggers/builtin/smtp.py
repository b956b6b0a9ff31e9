"""An SMTP backend that takes letters as ready bytes: nothing is built or parsed at the sending.

Opt in with `EMAIL_BACKEND = "oscar_triggers.builtin.smtp.EmailBackend"`, or on Django 6.1 with
that BACKEND in MAILERS. Every other mail of the project goes through it as through Django's own.
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.mail.backends import smtp

from .answers import Stage

#: How long a silent server is waited for when the project sets no timeout (seconds).
DEFAULT_TIMEOUT = 20
#: With this the server hangs up (RFC 5321, 4.2.2).
_CLOSING = 421
#: As smtplib reads them.
_LONGEST_LINE = 8193


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

    def send_ready(self, sender: str, recipient: str, data: bytes, has_dots: bool = True) -> Answer:
        """Hand over one letter on the open connection and return the server's answer.

        `has_dots` says whether a line of it may begin with one: to look takes longer than to copy.

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
        connection.send(_stuffed(data, has_dots=has_dots))
        self.content_left = True
        code, said = _reply(connection)
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

    def send_each(self, letters: Sequence[tuple[str, str, bytes, bool]]) -> Iterator[Answer]:
        """Hand over letters (sender, recipient, data, has_dots) one after the other, without waiting.

        With the text of each goes the envelope of the next (RFC 2920, 3.1), so that a letter
        costs one round trip. Yields the answers in their order; raises as `send_ready` does for
        the letter that comes after the last one yielded. Texts of later ones have not left then.
        """
        self.content_left = False
        connection = self.connection
        if connection is None:
            raise smtplib.SMTPServerDisconnected("open() comes first")
        connection.ehlo_or_helo_if_needed()
        if not connection.has_extn("pipelining"):
            for letter in letters:
                yield self.send_ready(*letter)
            return
        is_invited = False
        refusal: Answer | Exception | None = None
        for number, (sender, recipient, data, has_dots) in enumerate(letters):
            self.content_left = False
            if not is_invited:
                connection.send(_envelope_of(sender, recipient))
                refusal = self._heard(connection)
            is_invited = False
            if isinstance(refusal, Answer):
                yield refusal
                continue
            following = letters[number + 1 : number + 2]
            ahead = _envelope_of(*following[0][:2]) if following else b""
            connection.send(_stuffed(data, ahead, has_dots=has_dots))
            self.content_left = True
            code, said = _reply(connection)
            if following and code != _CLOSING:
                # Read before the answer is told: what becomes of this letter is known by now.
                is_invited, refusal = True, self._heard_or_broken(connection)
            self.content_left = False
            yield Answer(stage=Stage.CONTENT, code=code, said=said)
            if isinstance(refusal, Exception):
                raise refusal

    def _heard_or_broken(self, connection: smtplib.SMTP) -> Answer | Exception | None:
        try:
            return self._heard(connection)
        except (smtplib.SMTPException, OSError) as error:
            return error

    def _envelope_at_once(
        self, connection: smtplib.SMTP, sender: str, recipient: str
    ) -> Answer | None:
        """Say all three commands in one packet (RFC 2920), then read the three answers."""
        connection.send(_envelope_of(sender, recipient))
        return self._heard(connection)

    @staticmethod
    def _heard(connection: smtplib.SMTP) -> Answer | None:
        """Read the answers to an envelope; None when the text may come."""
        mail, rcpt, data = (_reply(connection) for _command in range(3))
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


def _reply(connection: smtplib.SMTP) -> tuple[int, bytes]:
    """Return the next answer as `getreply` does, which takes apart lines that need no care."""
    lines = connection.file
    if lines is None or connection.debuglevel > 0:
        return connection.getreply()
    try:
        line: bytes = lines.readline(_LONGEST_LINE)
    except OSError as error:
        connection.close()
        raise smtplib.SMTPServerDisconnected("The connection broke.") from error
    if not line:
        connection.close()
        raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
    if line[3:4] == b" " and line[:3].isdigit() and line.endswith(b"\n"):
        return int(line[:3]), line[4:].strip(b" \t\r\n")
    # Several lines, or none that SMTP knows: smtplib goes on from its beginning.
    connection.file = _Unread(line, lines)  # all that getreply asks of it
    try:
        return connection.getreply()
    finally:
        if connection.file is not None:
            connection.file = lines


class _Unread:
    """An answer's lines from one on that was read already."""

    def __init__(self, line: bytes, rest: Any) -> None:
        self._line, self._rest = line, rest

    def readline(self, limit: int = -1) -> bytes:
        """Return the next line."""
        line, self._line = self._line, b""
        return line or self._rest.readline(limit)

    def close(self) -> None:
        """Close what is left."""
        self._rest.close()


def _envelope_of(sender: str, recipient: str) -> bytes:
    return f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode("ascii")


def _stuffed(data: bytes, following: bytes = b"", *, has_dots: bool) -> bytes:
    """Return a message as DATA wants it: dots at line beginnings doubled, a dot at the end.

    `following` is what is said behind it.
    """
    stuffed = data
    if has_dots:
        stuffed = data.replace(b"\n.", b"\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
    end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((stuffed, end, following))
