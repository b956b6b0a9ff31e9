"""An SMTP server in a process of its own: quick, with PIPELINING, and it remembers every letter.

Each accepted letter is one line appended to a file before the client gets its answer, so that the
file tells what was accepted even when the client was killed while it waited. On demand it is slow,
refuses, hangs, or answers 421, 4xx or 5xx: `Sink.behave` tells it so through its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MESSAGE_ID = re.compile(rb"(?im)^Message-ID: *<?([^>\r\n]+)>?")
_END = b"\r\n.\r\n"

#: How it can behave: as a good server; nothing listens; it takes calls and says nothing; it is
#: about to close (421); a mailbox is busy (451); there is no such user (550); it takes the text
#: and never answers.
MANNERS = ("accept", "refuse", "hang", "close", "busy", "unknown_user", "silent")


class Server:
    """The listening socket, the open sessions and how to behave towards them."""

    def __init__(self, log: int, delay: float) -> None:
        self.log = log
        self.delay = delay
        self.manner = "accept"
        self.port = 0
        self.sessions: set[Session] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def behave(self, manner: str, delay: float) -> None:
        """Behave so from now on, towards open sessions too."""
        self.manner, self.delay = manner, delay
        if manner == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
            for session in list(self.sessions):
                session.hang_up()
        elif manner != "refuse" and self._server is None:
            await self.open()


class Session(asyncio.Protocol):
    """One client; understands what smtplib says."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._rest = b""
        self._recipient = ""
        self._in_data = False
        self._pending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.sessions.add(self)
        if self._server.manner == "close":
            transport.write(b"421 sink is closing\r\n")
            transport.close()
        elif self._server.manner != "hang":
            transport.write(b"220 sink\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the session, and a letter that was not accepted yet."""
        self._server.sessions.discard(self)
        if self._pending is not None:
            self._pending.cancel()

    def hang_up(self) -> None:
        """Break the connection off."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer everything that arrived whole."""
        manner = self._server.manner
        if manner == "hang":
            return
        if manner == "close" and not self._in_data:
            self._transport.write(b"421 sink is closing\r\n")
            self._transport.close()
            return
        rest = self._rest + data
        replies = b""
        while True:
            if self._in_data:
                end = rest.find(_END)
                if end < 0:
                    break
                self._in_data = False
                replies += self._take(rest[:end])
                rest = rest[end + len(_END) :]
                continue
            line, newline, after = rest.partition(b"\r\n")
            if not newline:
                break
            rest = after
            replies += self._reply(line)
        self._rest = rest
        if replies:
            self._transport.write(replies)

    def _take(self, letter: bytes) -> bytes:
        """Remember a letter and answer: now, or each after half of the delay; or never."""
        if self._server.manner == "silent":
            return b""
        half = self._server.delay / 2
        if not half:
            self._accept(letter)
            return b"250 kept\r\n"
        later = asyncio.get_running_loop().call_later
        recipient = self._recipient

        def keep() -> None:
            self._pending = None
            self._accept(letter, recipient)
            later(half, self._transport.write, b"250 kept\r\n")

        self._pending = later(half, keep)
        return b""

    def _reply(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        manner = self._server.manner
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 99999999\r\n"
        if verb == b"RCPT":
            if manner == "unknown_user":
                return b"550 5.1.1 no such user\r\n"
            if manner == "busy":
                return b"451 4.2.1 busy\r\n"
            self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
        if verb == b"DATA":
            if manner in ("busy", "unknown_user"):
                return b"503 5.5.1 no recipient\r\n"
            self._in_data = True
            return b"354 go on\r\n"
        if verb == b"QUIT":
            return b"221 bye\r\n"
        return b"250 ok\r\n"

    def _accept(self, letter: bytes, recipient: str = "") -> None:
        if self._server.log < 0:
            return
        found = _MESSAGE_ID.search(letter)
        identity = found.group(1).decode() if found else ""
        line = f"{time.time():.6f}\t{recipient or self._recipient}\t{identity}\n"
        os.write(self._server.log, line.encode())


async def _serve(log: int, delay: float) -> None:
    server = Server(log, delay)
    await server.open()
    print(server.port, flush=True)  # noqa: T201 - tells its parent
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        manner, seconds = line.split()
        await server.behave(manner, float(seconds))
        print("done", flush=True)  # noqa: T201 - tells its parent


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A letter that the sink took."""

    at: float
    recipient: str
    message_id: str


@dataclass(frozen=True, kw_only=True)
class Sink:
    """A running SMTP server."""

    port: int
    log: Path
    #: What it was started with, in seconds.
    delay: float = 0.0
    process: subprocess.Popen[str] | None = None

    def accepted(self) -> list[Accepted]:
        """Return what was accepted so far, in order."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [
            Accepted(at=float(at), recipient=recipient, message_id=identity)
            for at, recipient, identity in (line.split("\t") for line in lines)
        ]

    def behave(self, manner: str, *, delay: float = 0.0) -> None:
        """Behave in one of MANNERS from now on, answering `delay` seconds after the text came."""
        assert manner in MANNERS, manner
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{manner} {delay}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n", "the sink died"


@contextmanager
def running_sink(log: Path | None, *, delay: float = 0.0) -> Iterator[Sink]:
    """Run an SMTP server that accepts after half of `delay` and answers after all of it (seconds).

    Without a log it has no memory.
    """
    command = [sys.executable, "-S", str(Path(__file__)), "--delay", str(delay)]
    if log is not None:
        command += ["--log", str(log)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Sink(port=port, log=log or Path(os.devnull), delay=delay, process=process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--log")
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args()
    kept = os.open(given.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY) if given.log else -1
    asyncio.run(_serve(kept, given.delay))
