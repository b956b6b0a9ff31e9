"""Plays the main job without a person: baskets are left, letters arrive, and a table says why.

`python -m sandbox.demo` builds a throw-away shop, starts its site, a mail server and the engine
as real processes, walks through the shop over HTTP, lets time pass, and compares what was decided
(from the database) and what arrived (from the mail server's files) with what should have been.
The exit code is 0 when every line came true. `BREAK=order|consent|smtp` breaks it on purpose.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from sandbox.demo_story.breaks import BREAKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and return the exit code: 0 true, 1 not true, 2 could not be played."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    broken = words[0].removeprefix("BREAK=") if words else ""
    if len(words) > 1 or (broken and broken not in BREAKS):
        print(f"Usage: python -m sandbox.demo [BREAK={'|'.join(BREAKS)}]", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    # Before the first import of what reads Django's settings.
    from sandbox.demo_story.throw_away import throw_away_settings

    try:
        with throw_away_settings() as folder:
            return _run(folder, broken)
    except KeyboardInterrupt:
        return 130


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(folder: Path, broken: str) -> int:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {text}", flush=True)

    say("Building a throw-away shop.")
    import django

    django.setup()
    from django.conf import settings

    from sandbox.demo_story.stage import Stage
    from sandbox.demo_story.story import play
    from sandbox.demo_story.world import Broken, World

    world = World(folder=folder, say=say)
    stage = Stage(base_url=settings.SITE_URL, inbox=settings.INBOX_DIR, say=say)
    try:
        world.build()
        say("Starting its site, a mail server and the engine.")
        world.start_everything()
        say(world.publish_presets())
        world.wait_for_all()
        play(stage, world, broken)
    except Broken as error:
        say(f"The demo cannot go on: {error}")
        return 2
    finally:
        world.close()
    print(f"\n{stage.table()}\n")
    return _verdict(stage.failures, time.monotonic() - started)


def _verdict(failures: Sequence[str], seconds: float) -> int:
    if failures:
        print(f"The story did NOT come true ({seconds:.0f} s):")
        for failure in failures:
            print(f"  ✗ {failure}")
        return 1
    print(f"The story came true, every line of it ({seconds:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
