"""Settings of a shop that nobody keeps: a folder and ports of its own."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def throw_away_settings() -> Iterator[Path]:
    """Point the sandbox's settings at a folder and at ports of their own; remove the folder.

    Must be entered before Django reads its settings.
    """
    folder = Path(tempfile.mkdtemp(prefix="oscar-triggers-demo-"))
    site_port, smtp_port = _free_ports(2)
    for name in ("DATABASE_URL", "REDIS_URL", "SANDBOX_EMAIL_BACKEND", "ALLOWED_HOSTS"):
        os.environ.pop(name, None)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="sandbox.settings",
        SANDBOX_VAR=str(folder),
        PORT=str(site_port),
        SITE_URL=f"http://127.0.0.1:{site_port}",
        SMTP_HOST="127.0.0.1",
        SMTP_PORT=str(smtp_port),
    )
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
