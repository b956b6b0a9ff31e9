"""`python -m tests.storm NAME`: one storm on its own servers; prints its figures as JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.storm import ground as grounds
from tests.storm.servers import missing, own_folder

Figures = dict[str, Any]


def kills(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Kill Celery's workers, Redis and PostgreSQL."""
    from tests.storm.killed import Plan, rage_over_celery

    plan = Plan(
        letters=given.messages,
        kills=given.kills,
        redis_kills=given.redis_kills,
        postgres_restarts=given.postgres_restarts,
        on_doubt=given.on_doubt,
    )
    knobs = {
        "LEASE_FOR": {"seconds": plan.lease},
        "BATCH_SIZE": 20,
        "HAND_OVER_GROUP": given.group,
        "TICK_EVERY": {"seconds": 1},
    }
    with grounds.ground(template, folder, delay=given.delay, triggers=knobs) as ground:
        return {**rage_over_celery(ground, plan), "group": given.group}


def sqlite(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Kill `triggers_run` on SQLite beside a visitor."""
    from tests.storm.killed import Plan, rage_over_runners

    plan = Plan(letters=given.messages, kills=given.kills, on_doubt=given.on_doubt)
    knobs = {
        "LEASE_FOR": {"seconds": plan.lease},
        "BATCH_SIZE": 20,
        "TICK_EVERY": {"seconds": 1},
    }
    with grounds.ground(
        template,
        folder,
        vendor=grounds.SQLITE,
        celery=False,
        delay=given.delay,
        triggers=knobs,
    ) as ground:
        return rage_over_runners(ground, plan)


def crowd(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Let many clockworks meet over the same letters."""
    from tests.storm.crowd import meet

    knobs = {"BATCH_SIZE": 7, "TICK_EVERY": {"seconds": 1}}
    with grounds.ground(template, folder, delay=0.005, triggers=knobs) as ground:
        return meet(ground, given.messages)


def outage(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Take the provider away for a while."""
    from tests.storm.outage import Plan, rage

    plan = Plan(down=given.seconds or 21.0)
    with grounds.ground(template, folder, smtp_seconds=1.0, triggers=plan.knobs()) as ground:
        return rage(ground, plan)


def mountain(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Send receipts past a mountain of promotions."""
    from tests.storm.queues import KNOBS, pass_a_mountain

    # Slow enough that the mountain stands until the last receipt.
    with grounds.ground(template, folder, delay=given.delay, triggers=KNOBS) as ground:
        return pass_a_mountain(ground, given.messages, 15 if given.messages < 50_000 else 60)


def pace(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Send twenty letters a second."""
    from tests.storm.queues import KNOBS, keep_a_pace

    with grounds.ground(template, folder, triggers=KNOBS) as ground:
        return keep_a_pace(ground, 20, int(given.seconds or 10))


def staging(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Start a production dump elsewhere."""
    from tests.storm.staging import start_elsewhere

    with grounds.ground(template, folder, vendor=given.database, celery=False) as ground:
        return start_elsewhere(ground, given.messages, seconds=given.seconds or 3.0)


def poison(given: argparse.Namespace, template: Path, folder: Path) -> Figures:
    """Send letters of which one kills."""
    from tests.storm.poison import spread

    knobs = {"LEASE_FOR": {"seconds": 2}, "TICK_EVERY": {"seconds": 1}}
    with grounds.ground(template, folder, celery=False, triggers=knobs) as ground:
        return spread(ground, given.messages)


STORMS: dict[str, Callable[[argparse.Namespace, Path, Path], Figures]] = {
    "kills": kills,
    "sqlite": sqlite,
    "crowd": crowd,
    "outage": outage,
    "mountain": mountain,
    "pace": pace,
    "staging": staging,
    "poison": poison,
}


def _read() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("name", choices=[*STORMS, "prepare"])
    parser.add_argument("--template", type=Path, help="what `prepare` made; made anew without")
    parser.add_argument("--out", type=Path, help="a file for the figures")
    parser.add_argument("--keep-logs", type=Path, help="a folder for what the processes said")
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--redis-kills", type=int, default=0)
    parser.add_argument("--postgres-restarts", type=int, default=0)
    parser.add_argument("--on-doubt", choices=["hold", "resend"], default="hold")
    parser.add_argument("--seconds", type=float)
    parser.add_argument(
        "--database", choices=[grounds.SQLITE, grounds.POSTGRESQL], default=grounds.POSTGRESQL
    )
    parser.add_argument("--group", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0.06, help="of the mail server, in seconds")
    return parser.parse_args()


def main() -> None:
    """Make the ground, let the storm rage, write the figures."""
    given = _read()
    if lacking := missing():
        sys.exit(f"A storm starts servers of its own and needs {lacking}.")
    # Told to stop, it takes its servers and processes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("The storm was told to stop."))
    if given.name == "prepare":
        grounds.prepare(given.template)
        return
    with own_folder() as folder, contextlib.ExitStack() as ends:
        template = given.template
        if template is None:
            template = ends.enter_context(own_folder())
            grounds.prepare(template)
        try:
            figures = STORMS[given.name](given, template, folder)
        finally:
            if given.keep_logs:
                given.keep_logs.mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    (given.keep_logs / log.name).write_bytes(log.read_bytes())
    text = json.dumps(figures, indent=2, default=str)
    if given.out:
        given.out.write_text(text)
    print(text)  # noqa: T201 - what a person at a terminal reads


if __name__ == "__main__":
    main()
