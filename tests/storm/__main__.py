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
    knobs = {"LEASE_FOR": {"seconds": plan.lease}, "BATCH_SIZE": 20}
    with grounds.ground(
        template,
        folder,
        vendor=grounds.SQLITE,
        celery=False,
        delay=given.delay,
        triggers=knobs,
    ) as ground:
        return rage_over_runners(ground, plan)


STORMS: dict[str, Callable[[argparse.Namespace, Path, Path], Figures]] = {
    "kills": kills,
    "sqlite": sqlite,
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
