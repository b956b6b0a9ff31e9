"""What staff's pages take with logs of 10,000 and of 1,000,000 rows, in time and in queries.

A row a minute, of ten flows, ten for each person; as many people are on their way in both. So
1,000,000 is what a shop has that keeps messages for two years and sends 1,440 a day.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from benchmarks.stage import fresh_database, on_each_database, settle, table

SIZES = (10_000, int(os.environ.get("BENCHMARK_ROWS", "1000000")))
ROUNDS = 7
FLOWS = 10
#: Rows of one person.
EACH = 10
#: The newest ones are still on their way, or held.
ON_THE_WAY, HELD = 500, 550


@dataclass(frozen=True, kw_only=True)
class Page:
    """Something that staff open."""

    name: str
    ask: Callable[[Any], Any]


# ── The logs ─────────────────────────────────────────────────────────────────────────────────────


def _minutes_ago(column: str) -> str:
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"r.{column} - n.i * interval '1 minute'"
    return f"strftime('%Y-%m-%d %H:%M:%S', r.{column}, '-' || n.i || ' minutes')"


def _insert(row: Any, first: int, last: int, changes: dict[str, str]) -> None:
    """Insert copies of a row by one statement, numbered from the row's own number on."""
    from django.db import connection

    columns = [field.column for field in row._meta.local_fields]
    changes = {"id": "r.id + n.i", **changes}
    chosen = ", ".join(changes.get(column, f'r."{column}"') for column in columns)
    named = ", ".join(f'"{column}"' for column in columns)
    name = row._meta.db_table
    numbers = (
        f"SELECT i FROM generate_series({first}, {last}) i"  # noqa: S608 - numbers
        if connection.vendor == "postgresql"
        else f"WITH RECURSIVE s(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM s "  # noqa: S608 - numbers
        f"WHERE i < {last}) SELECT i FROM s"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{name}" ({named}) SELECT {chosen} '  # noqa: S608 - our own tables
            f'FROM ({numbers}) n CROSS JOIN "{name}" r WHERE r.id = {row.pk}'
        )


class Logs:
    """One row of each log, which is copied with other numbers, people, flows and moments."""

    def __init__(self) -> None:
        from django.utils import timezone

        from oscar_triggers.engine import saved_segments
        from oscar_triggers.models import ContactPoint, Decision, Flow, JournalEntry, Template
        from tests.editor.conftest import make_flow, make_template
        from tests.insight import rows

        make_template()
        for number in range(FLOWS):
            make_flow(f"flow-{number}", publish=True, name=f"Flow {number}")
        now = self.now = timezone.now()
        self.flows = list(Flow.objects.order_by("pk"))
        flow = self.flows[0]
        self.contact = rows.make_contact()
        self.point = ContactPoint.objects.create(
            contact=self.contact,
            channel="email",
            value="reader@example.com",
            normalised="reader@example.com",
            point_hash="0" * 40,
            created_at=now,
        )
        self.entry = JournalEntry.objects.create(
            dedup_key="log",
            kind="basket_left",
            contact=self.contact,
            about_type="basket",
            about_id="0",
            occurred_at=now,
            recorded_at=now,
            routed_at=now,
        )
        self.way = rows.make_enrollment(
            flow,
            now,
            contact=self.contact,
            journal_entry=self.entry,
            state="ended",
            exit_reason="completed",
            ended_at=now,
            due_at=None,
        )
        self.message = rows.make_message(
            flow,
            now,
            contact=self.contact,
            template=Template.objects.get(),
            about_type="basket",
            about_id="0",
        )
        self.item = self.message.items.create(enrollment=self.way)
        self.dispatch = rows.make_dispatch(
            self.message, "sent", now, point=self.point, settled_at=now
        )
        self.decision = Decision.objects.create(
            message=self.message,
            enrollment=self.way,
            flow=flow,
            rule="consent",
            verdict="allowed",
            compared={"topic": "offers"},
            decided_at=now,
            last_seen_at=now,
        )
        for key in ("few", "half"):
            tea = [{"kind": "has_tag", "tag": key}]
            saved_segments.save(key=key, name=key.capitalize(), asked=tea, now=now)
        self.count = 0

    def grow(self, count: int) -> None:
        """Make all logs so long."""
        from django.db import connection

        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # The rows fit together; to look each up would take longer than to write it.
                cursor.execute("SET session_replication_role = replica")
        self._people(count)
        self._rows(self.count + 1, count)
        self.count = count
        self._segments()
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET session_replication_role = DEFAULT")
                cursor.execute("VACUUM ANALYZE")
        settle()

    def _people(self, count: int) -> None:
        first, last = self.count // EACH + 1, count // EACH
        _insert(self.contact, first, last, {"identity_key": "'log:' || n.i"})
        address = "'reader' || n.i || '@example.com'"
        changes = {
            "contact_id": "r.contact_id + n.i",
            "value": address,
            "normalised": address,
            "point_hash": "'hash' || n.i",
        }
        _insert(self.point, first, last, changes)

    def _rows(self, first: int, last: int) -> None:
        person = f"r.contact_id + n.i / {EACH}"
        flow = f"r.flow_id + n.i - n.i / {FLOWS} * {FLOWS}"
        number = {"about_id": "CAST(n.i AS varchar(20))"}
        moments = {name: _minutes_ago(name) for name in ("occurred_at", "recorded_at", "routed_at")}
        _insert(
            self.entry,
            first,
            last,
            {"contact_id": person, "dedup_key": "'log:' || n.i", **number, **moments},
        )
        whether = f"CASE WHEN n.i <= {ON_THE_WAY} THEN 'active' WHEN n.i <= {HELD} THEN 'held'"
        active = f"n.i <= {HELD}"
        _insert(
            self.way,
            first,
            last,
            {
                "contact_id": person,
                "flow_id": flow,
                "version_id": flow.replace("flow_id", "version_id"),
                "journal_entry_id": "r.journal_entry_id + n.i",
                "episode_key": "'log:' || n.i",
                "state": f"{whether} ELSE 'ended' END",
                "exit_reason": f"CASE WHEN {active} THEN '' WHEN n.i - n.i / 100 * 100 = 0 "
                "THEN 'goal' ELSE 'completed' END",
                "due_at": f"CASE WHEN {active} THEN r.entered_at END",
                "ended_at": f"CASE WHEN {active} THEN NULL ELSE r.entered_at END",
                **number,
                "entered_at": _minutes_ago("entered_at"),
            },
        )
        kept = "n.i - n.i / 100 * 100 = 0"
        _insert(
            self.message,
            first,
            last,
            {
                "public_id": "'log' || n.i",
                "idempotency_key": "'log:' || n.i",
                "contact_id": person,
                "flow_id": flow,
                "state": f"CASE WHEN {kept} THEN 'skipped' ELSE 'sent' END",
                "reason": f"CASE WHEN {kept} THEN 'no_consent' ELSE '' END",
                **number,
                "planned_at": _minutes_ago("planned_at"),
                "settled_at": _minutes_ago("settled_at"),
            },
        )
        links = {"message_id": "r.message_id + n.i", "enrollment_id": "r.enrollment_id + n.i"}
        _insert(self.item, first, last, links)
        _insert(
            self.dispatch,
            first,
            last,
            {
                "message_id": links["message_id"],
                "point_id": f"r.point_id + n.i / {EACH}",
                "settled_at": _minutes_ago("settled_at"),
            },
        )
        moments = {name: _minutes_ago(name) for name in ("decided_at", "last_seen_at")}
        # Of each way that it was entered, then of its letter.
        is_entry = "n.i - n.i / 2 * 2 = 1"
        _insert(
            self.decision,
            first,
            last,
            {
                **links,
                "message_id": f"CASE WHEN {is_entry} THEN NULL ELSE {links['message_id']} END",
                "journal_entry_id": f"CASE WHEN {is_entry} THEN {self.entry.pk} + n.i END",
                "rule": f"CASE WHEN {is_entry} THEN 'entry' ELSE r.rule END",
                "verdict": f"CASE WHEN {is_entry} THEN 'entered' ELSE r.verdict END",
                "flow_id": flow,
                **moments,
            },
        )

    def _segments(self) -> None:
        """Put 50 people on one roll and half of all on another, as counting would."""
        from django.db import connection

        from oscar_triggers.engine import segments
        from oscar_triggers.models import Contact, SegmentMember, SegmentRoll

        SegmentRoll.objects.all().delete()
        for key, people in (("few", "id <= 50 + {0}"), ("half", "id / 2 * 2 = id")):
            roll = SegmentRoll.objects.create(
                segment=key,
                content_hash=segments.content_hash(key),
                started_at=self.now,
                counted_at=self.now,
            )
            with connection.cursor() as cursor:
                cursor.execute(
                    f"INSERT INTO {SegmentMember._meta.db_table} (roll_id, contact_id) "  # noqa: S608 - our own tables
                    f"SELECT {roll.pk}, id FROM {Contact._meta.db_table} "
                    f"WHERE {people.format(self.contact.pk)}"
                )
            roll.people = roll.members.count()
            roll.save()


# ── The pages ────────────────────────────────────────────────────────────────────────────────────


def _pages(logs: Logs) -> list[Page]:
    from django.urls import reverse

    log, ways = reverse("triggers_messages:index"), reverse("triggers_enrollments:index")
    people, why = reverse("triggers_contacts:index"), reverse("wagtail_triggers:why")
    someone = logs.contact.pk + 100
    flow = logs.flows[3]
    recent = (logs.now - timedelta(days=2)).date()
    day = {"planned_at_from": str(recent), "planned_at_to": str(recent)}
    old = {"planned_at_from": "2020-01-01", "planned_at_to": "2020-02-01"}

    def opened(name: str, url: str, **query: Any) -> Page:
        return Page(name=name, ask=lambda client: client.get(url, query))

    return [
        opened("messages: first page", log),
        opened("messages: page 200", log, p=200),
        opened("messages: decided against", log, state="skipped"),
        opened("messages: sent", log, state="sent"),
        opened("messages: sent or failed", log, state=["sent", "dead"]),
        opened("messages: of one flow", log, flow=flow.pk),
        opened("messages: of one reason", log, reason="no_consent"),
        opened("messages: of one day", log, **day),
        opened("messages: of days without any", log, **old),
        opened("messages: by number of the basket", log, q="4711"),
        opened("messages: segment of 50", log, segment="few"),
        opened("messages: segment of half", log, segment="half"),
        opened("one message", reverse("triggers_messages:inspect", args=[logs.message.pk + 1])),
        opened("on their way: first page", ways),
        opened("on their way: page 200", ways, p=200),
        opened("on their way: ended", ways, state="ended"),
        opened("on their way: held", ways, state="held"),
        opened("on their way: reached the goal", ways, exit_reason="goal"),
        opened("on their way: of one flow", ways, flow=flow.pk),
        opened("on their way: segment of 50", ways, segment="few"),
        opened("on their way: segment of half", ways, segment="half"),
        opened("contacts: first page", people),
        opened("contacts: segment of half", people, segment="half"),
        Page(
            name="contacts: search for an address",
            ask=lambda client: client.post(people, {"who": "Reader100@Example.com"}, follow=True),
        ),
        opened("one contact", reverse("triggers_contacts:inspect", args=[someone])),
        opened("why?", why, contact=someone, flow=flow.key),
        opened("dashboard, 7 days", reverse("wagtail_triggers:dashboard"), days=7),
        opened(
            "dashboard, 7 days, segment of 50",
            reverse("wagtail_triggers:dashboard"),
            days=7,
            segment="few",
        ),
    ]


def _measured(client: Any, page: Page) -> tuple[float, int]:
    """Return the median time of a page (seconds) and its number of queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    assert page.ask(client).status_code == 200, page.name  # What a process learns once is learnt.
    # Each request forgets what was asked before it.
    with CaptureQueriesContext(connection) as captured:
        page.ask(client)
        queries = len(captured)
    times = []
    for _round in range(ROUNDS):
        begun = time.perf_counter()
        page.ask(client)
        times.append(time.perf_counter() - begun)
    return statistics.median(times), queries


def _show_slow(client: Any, page: Page) -> None:
    """Print the slowest statement of a page, for whoever asks why it is not flat."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        page.ask(client)
    worst = max(captured, key=lambda one: float(one["time"]))
    print(f"{page.name}: {worst['time']} s: {worst['sql'][:1500]}\n", flush=True)


def run() -> None:
    """Print time and queries of each page at both sizes, and how many times longer the larger takes."""
    with fresh_database() as vendor:
        from django.contrib.auth import get_user_model

        from sandbox.shop import foundation
        from tests.editor.conftest import signed_in

        foundation.lay()
        client = signed_in(
            get_user_model().objects.create_superuser("staff", "staff@shop.example", "x")
        )
        logs = Logs()
        found: list[list[tuple[float, int]]] = []
        for count in SIZES:
            logs.grow(count)
            pages = _pages(logs)
            found.append([_measured(client, page) for page in pages])
        rows = []
        for page, small, large in zip(pages, *found, strict=True):
            flat = large[0] / small[0]
            if flat > 2 and os.environ.get("BENCHMARK_EXPLAIN"):
                _show_slow(client, page)
            times = [f"{one[0] * 1e3:,.0f}" for one in (small, large)]
            rows.append([page.name, small[1], large[1], *times, f"{flat:.2f}"])
        print(f"### {vendor}: ms a page, median of {ROUNDS}\n", flush=True)
        header = [f"{unit}, {count:,} rows" for unit in ("queries", "ms") for count in SIZES]
        table(["", *header, "ratio"], rows)


if __name__ == "__main__":
    on_each_database("benchmarks.logs", run)
