"""`make storm`: every storm in full, one after another; writes the table of docs/trust.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.storm import promises
from tests.storm.ground import SHOP, prepare
from tests.storm.processes import ROOT
from tests.storm.promises import Broken, Figures
from tests.storm.servers import Postgres, missing, own_folder

PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- storm: begin -->", "<!-- storm: end -->"
RACES = 200
_LONGEST_STORM = 2_400


@dataclass(frozen=True, kw_only=True)
class Row:
    """One storm of the full run: how it is started, and what of it is told."""

    name: str
    title: str
    arguments: tuple[Any, ...]
    tell: Callable[[Figures], str]


def _told_kills(figures: Figures) -> str:
    hits = f"{figures['kills_while_handing_over']} of {figures['kills']} kills while handing over"
    servers = [
        f"Redis killed {figures['redis_kills']}×" if figures["redis_kills"] else "",
        f"PostgreSQL restarted {figures['postgres_restarts']}×"
        if figures["postgres_restarts"]
        else "",
    ]
    return "; ".join(
        part
        for part in (
            f"{figures['letters']:,} letters",
            hits,
            *servers,
            f"**{figures['lost']} lost**",
            f"**{figures['duplicates']} twice**",
            f"**{figures['unknown']} in doubt**"
            + (f" ({figures['unknown_and_accepted']} arrived)" if figures["unknown"] else ""),
            f"taken over after {figures['slowest_recovery']} s at most "
            f"(lease and tick: {figures['lease_and_tick']:g} s)",
            f"{figures['seconds']} s",
        )
        if part
    )


def _told_sqlite(figures: Figures) -> str:
    return (
        f"{_told_kills(figures)}; the visitor saw {figures['visitor_pages']:,} pages, "
        f"**{figures['visitor_locked']} locked**, {figures['visitor_faults']} failed, "
        f"99 of 100 within {figures['visitor_p99']} s"
    )


def _told_crowd(figures: Figures) -> str:
    return (
        f"{figures['beats']} beats, {figures['workers']} workers, {figures['runners']} loops, "
        f"Redis emptied on the way: {figures['letters']:,} letters due, "
        f"**{figures['accepted']:,} arrived, {figures['accepted_distinct']:,} different**; "
        f"an act told {figures['times_told']}× by 4 processes: "
        f"**{figures['letters_about_the_act_told_often']} letter**; "
        f"{figures['celery_messages']:,} Celery messages, "
        f"**{figures['celery_messages_with_eta']} with an ETA, "
        f"{figures['celery_messages_with_more_than_ids']} with more than ids**"
    )


def _told_outage(figures: Figures) -> str:
    return (
        f"{figures['backlog']} letters wait, {figures['seconds_down']:g} s down "
        f"({', '.join(figures['ways'])}): **{figures['attempts_burned']} attempts burned**, "
        f"back after {figures['back_after']} s, drained at **{figures['rate_measured']} a second** "
        f"(set: {figures['rate_set']}), {figures['expired']} of {figures['expiring']} expired and "
        f"say so, {figures['expired_that_arrived']} of them arrived, "
        f"{figures['states'].get('unknown', 0)} in doubt"
    )


def _told_mountain(figures: Figures) -> str:
    return (
        f"{figures['promotions_due']:,} promotions due, {figures['receipts']} receipts: from the "
        f"event to accepted {figures['delay_median']} s (median), "
        f"**{figures['delay_worst']} s at worst**"
    )


def _told_pace(figures: Figures) -> str:
    return (
        f"{figures['letters']:,} letters at {figures['per_second']} a second, beat every second: "
        f"from due to accepted {figures['due_to_accepted_median']} s (median), "
        f"**{figures['due_to_accepted_p99']} s (99 of 100)**; from the event "
        f"{figures['recorded_to_accepted_p99']} s (99 of 100)"
    )


def _told_staging(figures: Figures) -> str:
    return (
        f"{figures['letters_due']} letters due: another environment sends "
        f"**{figures['sent_from_another_environment']}**, another address "
        f"**{figures['sent_from_another_address']}**; adopted, {figures['sent_after_adopting']}"
    )


def _told_poison(figures: Figures) -> str:
    return (
        f"{figures['letters']:,} letters: **{figures['accepted_distinct']:,} arrived once**, the "
        f"poison is dead after {figures['workers_that_died']} workers"
    )


def _told_deeds(figures: Figures) -> str:
    return (
        f"{figures['before']} committed within 50 ms before the mark, {figures['after']} after it: "
        f"**{figures['marked_late']} marks follow the commit**"
    )


_STORM = ("--messages", 5_000, "--kills", 32, "--redis-kills", 2, "--postgres-restarts", 1)
ROWS: tuple[Row, ...] = (
    Row(
        name="kills",
        title="Celery, PostgreSQL, `on_doubt: hold`",
        arguments=(*_STORM, "--delay", 0.12),
        tell=_told_kills,
    ),
    Row(
        name="kills",
        title="Celery, PostgreSQL, `on_doubt: resend`",
        arguments=(*_STORM, "--delay", 0.12, "--on-doubt", "resend"),
        tell=_told_kills,
    ),
    Row(
        name="kills",
        title="The same with `HAND_OVER_GROUP: 20`, `hold`",
        arguments=("--messages", 2_000, "--kills", 10, "--delay", 0.12, "--group", 20),
        tell=_told_kills,
    ),
    Row(
        name="sqlite",
        title="`triggers_run` on SQLite beside a visitor",
        arguments=("--messages", 5_000, "--kills", 10, "--delay", 0.01),
        tell=_told_sqlite,
    ),
    Row(
        name="crowd",
        title="Many clocks, one outbox",
        arguments=("--messages", 1_000),
        tell=_told_crowd,
    ),
    Row(
        name="outage",
        title="The provider is down",
        arguments=("--seconds", 600),
        tell=_told_outage,
    ),
    Row(
        name="mountain",
        title="Receipts behind promotions",
        arguments=("--messages", 100_000, "--delay", 0.005),
        tell=_told_mountain,
    ),
    Row(name="pace", title="Twenty a second", arguments=("--seconds", 60), tell=_told_pace),
    Row(
        name="staging",
        title="A dump started elsewhere (PostgreSQL)",
        arguments=("--messages", 200, "--seconds", 10),
        tell=_told_staging,
    ),
    Row(
        name="staging",
        title="A dump started elsewhere (SQLite)",
        arguments=("--messages", 200, "--seconds", 10, "--database", "sqlite"),
        tell=_told_staging,
    ),
    Row(
        name="poison",
        title="A letter that kills its worker",
        arguments=("--messages", 1_000),
        tell=_told_poison,
    ),
)

#: How the deeds at the mark are called in the table.
_DEEDS = {
    "order": "An order at the mark",
    "unsubscribe": "An unsubscription at the mark",
    "price_rise": "A price rise at the mark",
    "stock_out": "The last piece sold at the mark",
}


def rage(row: Row, template: Path, out: Path) -> Figures | None:
    """Run one storm; None when it fell over."""
    command = [
        *(sys.executable, "-m", "tests.storm", row.name, *map(str, row.arguments)),
        *("--template", str(template), "--out", str(out)),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        code = process.wait(_LONGEST_STORM)
    except subprocess.TimeoutExpired:
        code = -1
    finally:
        process.terminate()
        process.wait(60)
    return json.loads(out.read_text()) if code == 0 else None


def race(template: Path, folder: Path) -> Iterator[Figures]:
    """Race deeds against marks on a PostgreSQL of their own."""
    postgres = Postgres.copy(template / "postgres", folder / "postgres")
    figures = folder / "figures.jsonl"
    postgres.start()
    try:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests/storm/test_deeds_at_the_mark.py"],
            cwd=ROOT,
            env={
                **os.environ,
                "TEST_DATABASE_URL": postgres.url(SHOP),
                "STORM_RACES": str(RACES),
                "STORM_FIGURES": str(figures),
            },
            check=False,
        )
    finally:
        postgres.end()
    lines = figures.read_text().splitlines() if figures.exists() else []
    yield from map(json.loads, lines)


def table(rows: Sequence[tuple[str, str, Sequence[Broken] | None]]) -> str:
    """Return the section of docs/trust.md: date, machine, one row for each storm."""
    when = datetime.now(UTC).date().isoformat()
    head = (
        f"{when}, {os.cpu_count()} cores, Python {platform.python_version()}: `make storm`.\n\n"
        "| storm | what happened | kept |\n|---|---|---|\n"
    )
    return head + "".join(
        f"| {title} | {told} | {_verdict(broken)} |\n" for title, told, broken in rows
    )


def _verdict(broken: Sequence[Broken] | None) -> str:
    if broken is None:
        return "no: it fell over"
    return "no: " + "; ".join(map(str, broken)) if broken else "yes"


def write(section: str, page: Path = PAGE) -> None:
    """Put the table in its place."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{section}{END}{rest.split(END)[1]}")


def main() -> int:
    """Run all storms, say what they found, write the table; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm.full", description=__doc__)
    names = sorted({row.name for row in ROWS} | {"deeds"})
    parser.add_argument(
        "--only", action="append", choices=names, help="these alone; writes nothing"
    )
    given = parser.parse_args()
    if lacking := missing():
        sys.exit(f"The storms start servers of their own and need {lacking}.")
    found: list[tuple[str, str, Sequence[Broken] | None]] = []
    with own_folder() as template:
        prepare(template)
        for row in ROWS:
            if given.only and row.name not in given.only:
                continue
            began = time.monotonic()
            figures = rage(row, template, template / "figures.json")
            broken = None if figures is None else promises.PROMISES[row.name](figures)
            told = "" if figures is None else row.tell(figures)
            found.append((row.title, told, broken))
            _say(f"{row.title} ({time.monotonic() - began:.0f} s)\n  {told}\n  {_verdict(broken)}")
        if not given.only or "deeds" in given.only:
            with own_folder() as folder:
                raced = {one["deed"]: one for one in race(template, folder)}
            for deed, title in _DEEDS.items():
                one = raced.get(deed)
                broken = None if one is None else promises.deeds(one)
                told = "" if one is None else _told_deeds(one)
                found.append((title, told, broken))
                _say(f"{title}\n  {told}\n  {_verdict(broken)}")
    if not given.only:
        write(table(found))
    return 1 if any(broken is None or broken for _title, _told, broken in found) else 0


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what a person at a terminal reads


if __name__ == "__main__":
    sys.exit(main())
