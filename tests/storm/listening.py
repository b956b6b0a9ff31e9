"""Who listens at the broker: every message that is published, as Redis itself sees it (MONITOR)."""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import Any

from tests.storm.servers import Redis

#: A value of a MONITOR line: quotation marks and backslashes in it are escaped.
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Listener:
    """Keeps what Celery puts into queues, also over the death of Redis."""

    def __init__(self, redis: Redis) -> None:
        self.messages: list[dict[str, Any]] = []
        self._redis = redis
        self._over = threading.Event()
        self._ear = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Listener:
        self._ear.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._ear.join(5)

    def _listen(self) -> None:
        import socket

        while not self._over.wait(0.05):
            try:
                with socket.create_connection(("127.0.0.1", self._redis.port), 2) as line:
                    line.settimeout(0.5)
                    line.sendall(b"MONITOR\r\n")
                    self._hear(line)
            except OSError:
                continue  # killed: it will be back

    def _hear(self, line: Any) -> None:
        rest = b""
        while not self._over.is_set():
            try:
                data = line.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                return
            *whole, rest = (rest + data).split(b"\r\n")
            for one in whole:
                if b'"LPUSH" "celery"' in one:
                    value = _VALUE.findall(one.decode())[2]
                    self.messages.append(json.loads(json.loads(f'"{_as_json(value)}"')))

    def report(self) -> dict[str, Any]:
        """Say how many messages there were, and how many carry a time or more than ids."""
        told = [json.loads(base64.b64decode(one["body"])) for one in self.messages]
        return {
            "celery_messages": len(told),
            "celery_messages_with_eta": sum(
                1 for one in self.messages if one["headers"].get("eta") is not None
            ),
            "celery_messages_with_more_than_ids": sum(
                1 for args, kwargs, _rest in told if kwargs or not _only_ids(args)
            ),
        }


def _as_json(value: str) -> str:
    """Return a string of Redis's log as one of JSON: bytes are written otherwise there."""
    return re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", value).replace("\\a", "\\u0007")


def _only_ids(args: Any) -> bool:
    if isinstance(args, list):
        return all(map(_only_ids, args))
    return isinstance(args, int) and not isinstance(args, bool)
