"""An SMTP server in a process of its own: quick, with PIPELINING, and it remembers every letter.

Each accepted letter is one line appended to a file before the client gets its answer, so that the
file tells what was accepted even when the client was killed while it waited.
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


class Session(asyncio.Protocol):
    """One client; understands what smtplib says."""

    def __init__(self, log: int, delay: float) -> None:
        self._log = log
        self._delay = delay
        self._rest = b""
        self._recipient = ""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer everything that arrived whole."""
        rest = self._rest + data
        replies = b""
        while True:
            if self._in_data:
                end = rest.find(_END)
                if end < 0:
                    break
                self._in_data = False
                self._accept(rest[:end])
                rest = rest[end + len(_END) :]
                if self._delay:
                    asyncio.get_running_loop().call_later(
                        self._delay, self._transport.write, b"250 kept\r\n"
                    )
                else:
                    replies += b"250 kept\r\n"
                continue
            line, newline, after = rest.partition(b"\r\n")
            if not newline:
                break
            rest = after
            replies += self._reply(line)
        self._rest = rest
        if replies:
            self._transport.write(replies)

    def _reply(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 99999999\r\n"
        if verb == b"RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        if verb == b"QUIT":
            return b"221 bye\r\n"
        return b"250 ok\r\n"

    def _accept(self, letter: bytes) -> None:
        if self._log < 0:
            return
        found = _MESSAGE_ID.search(letter)
        identity = found.group(1).decode() if found else ""
        os.write(self._log, f"{time.time():.6f}\t{self._recipient}\t{identity}\n".encode())


async def _serve(log: int, delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Session(log, delay), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - tells its parent
    await server.serve_forever()


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

    def accepted(self) -> list[Accepted]:
        """Return what was accepted so far, in order."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [
            Accepted(at=float(at), recipient=recipient, message_id=identity)
            for at, recipient, identity in (line.split("\t") for line in lines)
        ]


@contextmanager
def running_sink(log: Path | None, *, delay: float = 0.0) -> Iterator[Sink]:
    """Run an SMTP server that answers `delay` seconds after it accepted; no log, no memory."""
    command = [sys.executable, "-S", str(Path(__file__)), "--delay", str(delay)]
    if log is not None:
        command += ["--log", str(log)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Sink(port=int(process.stdout.readline()), log=log or Path(os.devnull))
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--log")
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args()
    kept = os.open(given.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY) if given.log else -1
    asyncio.run(_serve(kept, given.delay))
