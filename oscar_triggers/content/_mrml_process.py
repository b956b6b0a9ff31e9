"""Runs mrml on standard input, as a process of its own that may die.

It is started by path, so that nothing of Django or of this package is loaded.
"""

from __future__ import annotations

import resource
import sys

from mjml import mjml2html


def main() -> None:
    """Compile standard input within the limits given as arguments (bytes, seconds)."""
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    text = sys.stdin.buffer.read().decode()
    try:
        html = mjml2html(text, fonts={})
    except ValueError as error:
        sys.stdout.buffer.write(b"E" + str(error).encode())
    else:
        sys.stdout.buffer.write(b"H" + html.encode())


if __name__ == "__main__":
    main()
