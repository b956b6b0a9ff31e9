"""Starting the sandbox's own programs from tests."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sandbox_environment(var: Path, **more: str) -> dict[str, str]:
    """Return an environment in which the sandbox keeps everything in a folder of its own."""
    dropped = ("DATABASE_URL", "REDIS_URL", "TEST_DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "SANDBOX_VAR": str(var), **more}
