"""What staff do when something went wrong: alarms, blasts, doubts, a restored backup."""

from __future__ import annotations

import csv
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_triggers.builtin import staff_mail
from oscar_triggers.channels import Outcome, Receipt
from oscar_triggers.engine import (
    alarms,
    blast,
    clockwork,
    flows,
    installation,
    intake,
    outbox,
    resolving,
    settling,
    watching,
)
from oscar_triggers.engine.resolving import Answer
from oscar_triggers.models import (
    Alarm,
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    Flow,
    FlowState,
    Message,
    MessageState,
    Pulse,
)
from tests.engine.conftest import SEND, wait
from tests.mail import SmtpSink, use_backend
from tests.storm.world import card_records, publish_card_flow

pytestmark = pytest.mark.django_db

Setter = Callable[..., None]


@pytest.fixture
def say(settings: Any) -> Setter:
    """Return a function that changes keys of OSCAR_TRIGGERS."""

    def change(**keys: Any) -> None:
        settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, **keys}

    return change


def run(*arguments: str) -> str:
    """Run a command of manage.py and return what it says."""
    out = StringIO()
    call_command(*arguments, stdout=out, no_color=True)
    return out.getvalue()


# ── Blasts ───────────────────────────────────────────────────────────────────────────────────────


def _cards(count: int, now: datetime, **rest: Any) -> None:
    publish_card_flow(**rest)
    Flow.objects.update(blast_since=now - timedelta(minutes=10))
    intake.record_many(card_records(count))
    clockwork.tick(now, send=False)


def _send_all(moment: datetime) -> None:
    while outbox.send_due(moment):
        pass


def test_a_flow_that_sends_too_much_in_its_first_hour_is_paused_and_staff_are_told(
    say: Setter, settings: Any, now: datetime
) -> None:
    settings.ADMINS = ["boss@example.com"] if _django_6() else [("Boss", "boss@example.com")]
    say(BLAST_LIMIT=7, BATCH_SIZE=5)
    _cards(20, now)
    clockwork.tick(now + timedelta(seconds=1))
    letters = [one for one in mail.outbox if "boss@example.com" not in one.to]
    [told] = [one for one in mail.outbox if "boss@example.com" in one.to]
    assert len(letters) == 7
    assert Flow.objects.get().state == FlowState.PAUSED
    assert set(
        Dispatch.objects.exclude(state="sent").values_list("state", "attempt", "crashes")
    ) == {("planned", 0, 0)}
    assert "sent 7 messages in its first hour and wants to send 13 more" in told.body
    assert "triggers_flow cards resume" in told.body
    assert Decision.objects.get(rule="blast_guard").compared["limit"] == 7
    flows.resume("cards", now + timedelta(minutes=5))
    _send_all(now + timedelta(minutes=5))
    assert len([one for one in mail.outbox if "boss@example.com" not in one.to]) == 20


def test_a_flow_may_set_its_own_limit_and_after_an_hour_nobody_counts(
    say: Setter, now: datetime
) -> None:
    say(BLAST_LIMIT=2)
    _cards(6, now, blast_limit=4)
    _send_all(now + timedelta(seconds=1))
    assert len(mail.outbox) == 4
    Flow.objects.update(state=FlowState.LIVE)
    _send_all(now + timedelta(minutes=51))
    assert len(mail.outbox) == 6


def test_what_another_worker_holds_counts_as_gone(say: Setter, now: datetime) -> None:
    say(BLAST_LIMIT=5)
    _cards(8, now)
    ahead = list(Dispatch.objects.order_by("pk").values_list("pk", flat=True)[:3])
    Dispatch.objects.filter(pk__in=ahead).update(
        state="leased", lease_owner="another", leased_until=now + timedelta(minutes=9)
    )
    rows = Dispatch.objects.filter(pk__in=ahead).select_related("message__flow__live_version")
    assert len(blast.within_limits(list(rows), now)) == 3
    outbox.send_due(now + timedelta(seconds=1))
    assert len(mail.outbox) == 2
    assert Flow.objects.get().state == FlowState.LIVE


def test_counting_costs_the_same_for_many_letters(say: Setter, now: datetime) -> None:
    say(BLAST_LIMIT=1_000)
    _cards(50, now)
    Dispatch.objects.update(state="leased", lease_owner="me", leased_until=now)
    rows = list(Dispatch.objects.select_related("message__flow"))
    costs = []
    for batch in (rows[:1], rows[1:2], rows[2:]):
        with CaptureQueriesContext(connection) as found:
            assert blast.within_limits(batch, now) == batch
        costs.append(len(found))
    assert costs[1] == costs[2] <= 10


@pytest.mark.django_db(transaction=True)
def test_several_workers_together_keep_to_the_limit(say: Setter, now: datetime) -> None:
    say(BLAST_LIMIT=13, BATCH_SIZE=4, TICK_EVERY=timedelta(microseconds=1))
    _cards(40, now)
    moment = now + timedelta(seconds=1)
    begin = threading.Barrier(3)

    def work() -> None:
        begin.wait()
        try:
            for turn in range(96):
                outbox.send_due(moment + timedelta(milliseconds=turn))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _number in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert Dispatch.objects.filter(state="sent").count() == 13
    assert Flow.objects.get().state == FlowState.PAUSED
    assert Alarm.objects.get(key="blast:cards").count == 1


def _django_6() -> bool:
    import django

    return django.VERSION >= (6, 0)


# ── Alarms ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Listen as a chat service would; return the address and what arrives."""
    arrived: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            arrived.append(json.loads(self.rfile.read(length)))
            self.send_response(302 if "moved" in self.path else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", arrived
    server.shutdown()


def _dead_mail() -> dict[str, Any]:
    return {
        "to": ["boss@example.com"],
        "backend": "django.core.mail.backends.smtp.EmailBackend",
        "options": {"host": "127.0.0.1", "port": 1, "timeout": 1},
    }


def test_when_mail_is_down_the_second_route_still_tells(
    say: Setter, hook: Any, now: datetime
) -> None:
    url, arrived = hook
    say(ALARMS={"email": _dead_mail(), "webhook": {"url": url}})
    alarms.raise_alarm("breaker:email", "The mail server is down.", now, advice="Look at it.")
    assert alarms.tell_due(now) == 1
    assert alarms.tell_due(now + timedelta(minutes=10)) == 0
    [notice] = arrived
    assert notice["state"] == "raised"
    assert "The mail server is down." in notice["text"]
    assert "Look at it." in notice["text"]


def test_an_alarm_is_told_again_while_it_lasts_and_once_when_it_is_over(
    say: Setter, hook: Any, now: datetime
) -> None:
    url, arrived = hook
    say(ALARMS={"webhook": {"url": url}})
    for hours in (0, 1, 5, 7, 8):
        alarms.raise_alarm("x", "It is bad.", now + timedelta(hours=hours))
        alarms.tell_due(now + timedelta(hours=hours))
    assert len(arrived) == 2
    assert Alarm.objects.get().count == 5
    for minutes in (1, 10, 20):
        alarms.clear("x", now + timedelta(hours=9))
        alarms.tell_due(now + timedelta(hours=9, minutes=minutes))
    assert [notice["state"] for notice in arrived] == ["raised", "raised", "over"]
    alarms.raise_alarm("x", "It is bad again.", now + timedelta(hours=10))
    alarms.tell_due(now + timedelta(hours=10))
    assert arrived[-1]["state"] == "raised"


def test_what_no_route_could_tell_is_tried_again(say: Setter, hook: Any, now: datetime) -> None:
    url, arrived = hook
    say(ALARMS={"email": _dead_mail(), "webhook": {"url": url + "moved"}})
    alarms.raise_alarm("x", "It is bad.", now)
    assert alarms.tell_due(now) == 0
    assert alarms.tell_due(now + timedelta(minutes=1)) == 0
    say(ALARMS={"webhook": {"url": url}})
    assert alarms.tell_due(now + timedelta(minutes=4)) == 1
    assert len(arrived) == 2


def test_a_route_of_a_third_party_that_breaks_stops_no_other(
    say: Setter, smtp_sink: SmtpSink, now: datetime
) -> None:
    class Pager(alarms.Route):
        def tell(self, notice: alarms.Notice, options: Any) -> None:
            raise RuntimeError("flat battery")

    say(ALARMS={"pager": {}, "email": {"to": ["boss@example.com"]}})
    with alarms.routes.temporarily("pager", Pager()):
        alarms.raise_alarm("x", "It is bad.", now)
        assert alarms.tell_due(now) == 1
    [letter] = smtp_sink.wait_for(1)
    assert "It is bad." in letter.get_content()


def test_the_tick_notices_by_itself_and_clears_by_itself(now: datetime) -> None:
    Pulse.objects.create(name="sweep:nobodys", ran_at=now, detail={"error": "KeyError"})
    publish_card_flow()
    intake.record_many(card_records(2))
    clockwork.tick(now, send=False)
    Enrollment.objects.update(state=EnrollmentState.HELD)
    Dispatch.objects.update(state="leased", leased_until=now - timedelta(hours=1))
    watching.watch(now + timedelta(minutes=2))
    assert set(Alarm.objects.filter(cleared_at=None).values_list("key", flat=True)) == {
        "held:cards",
        "leases",
        "sweep:nobodys",
    }
    Pulse.objects.filter(name="sweep:nobodys").update(detail={})
    Enrollment.objects.update(state=EnrollmentState.ENDED)
    Dispatch.objects.update(state="sent")
    watching.watch(now + timedelta(minutes=4))
    assert not Alarm.objects.filter(cleared_at=None).exists()


def test_a_foreign_database_raises_an_alarm(say: Setter, now: datetime) -> None:
    clockwork.tick(now)
    say(ENVIRONMENT="staging")
    clockwork.tick(now + timedelta(minutes=2))
    assert "belongs to another installation" in Alarm.objects.get(key="foreign").text
    installation.adopt(now)
    clockwork.tick(now + timedelta(minutes=4))
    assert Alarm.objects.get(key="foreign").cleared_at is not None


def test_a_check_that_breaks_stops_neither_the_tick_nor_the_others(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    def broken(now: datetime) -> None:
        raise RuntimeError("no")

    called = []
    monkeypatch.setattr(watching, "CHECKS", (broken, called.append))
    clockwork.tick(now)
    assert len(called) == 1


# ── Doubts and dead letters ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def doubt(publish_flow: Any, expire: Any, agreed: int, now: datetime) -> Dispatch:
    """Have one letter of which nobody can tell whether it arrived."""
    publish_flow(SEND)
    expire()
    clockwork.tick(now, send=False)
    row = Dispatch.objects.select_related("message").get()
    Dispatch.objects.update(state="sending", attempt=1, sending_at=now, lease_owner="me")
    settling.write_receipt(
        settling.parties_of(row),
        Receipt(dispatch_id=row.pk, outcome=Outcome.UNKNOWN),
        "hold",
        now,
        owner="me",
        attempt=1,
    )
    row.refresh_from_db()
    assert row.state == DispatchState.UNKNOWN
    return row


def test_staff_say_that_a_letter_arrived(doubt: Dispatch, now: datetime) -> None:
    assert resolving.mark_arrived(doubt.pk, now) is Answer.DONE
    assert resolving.mark_arrived(doubt.pk, now) is Answer.NOT_OPEN
    assert resolving.resend(doubt.pk, now) is Answer.NOT_OPEN
    assert Message.objects.get().state == MessageState.SENT
    clockwork.tick(now + timedelta(minutes=1))
    assert mail.outbox == []


def test_a_letter_in_doubt_goes_again_as_itself(
    doubt: Dispatch, now: datetime, member: Any
) -> None:
    assert resolving.resend(doubt.pk, now, by=member) is Answer.DONE
    assert resolving.resend(doubt.pk, now, by=member) is Answer.NOT_OPEN
    clockwork.tick(now + timedelta(minutes=1))
    [letter] = mail.outbox
    assert Message.objects.get().public_id in letter.extra_headers["Message-ID"]
    assert Message.objects.count() == Dispatch.objects.count() == 1
    note = Decision.objects.get(rule="staff")
    assert (note.verdict, note.compared["user"]) == ("resend", member.pk)


def test_a_letter_that_is_too_late_goes_only_when_that_is_said(
    doubt: Dispatch, now: datetime
) -> None:
    later = now + timedelta(days=5)
    assert resolving.resend(doubt.pk, later) is Answer.TOO_LATE
    assert resolving.resend(doubt.pk, later, late=True) is Answer.DONE
    clockwork.tick(later)
    assert len(mail.outbox) == 1


def test_who_left_meanwhile_gets_no_second_try(doubt: Dispatch, now: datetime) -> None:
    Enrollment.objects.update(state="ended", exit_reason="goal")
    assert resolving.resend(doubt.pk, now) is Answer.NOT_WANTED
    Enrollment.objects.update(exit_reason="completed")
    flows.archive("gift-cards", now)
    assert resolving.resend(doubt.pk, now) is Answer.SWITCHED_OFF


def test_a_dead_letter_has_all_its_tries_again(
    doubt: Dispatch, smtp_sink: SmtpSink, now: datetime
) -> None:
    Dispatch.objects.update(state="dead", attempt=5, crashes=3)
    Message.objects.update(state="dead")
    assert "1 of 1 done" in run("triggers_resolve", "retry", "--flow", "gift-cards")
    outbox.send_due(timezone.now() + timedelta(seconds=1))
    smtp_sink.wait_for(1)
    row = Dispatch.objects.get()
    assert (row.state, row.attempt, row.crashes) == (DispatchState.SENT, 1, 0)


def test_what_may_have_arrived_goes_again_only_by_the_verb_that_says_so(doubt: Dispatch) -> None:
    with pytest.raises(SystemExit):
        run("triggers_resolve", "retry", str(doubt.pk))
    assert Dispatch.objects.get().state == DispatchState.UNKNOWN
    assert "1 of 1 done" in run("triggers_resolve", "resend", str(doubt.pk))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retry", "--flow", "no-such"], "There is no flow 'no-such'"),
        (["list", "--flow", "no-such"], "There is no flow 'no-such'"),
        (["resend", "--flow", "gift-cards", "--state", "held"], "not for what is held"),
        (["go", "--flow", "gift-cards", "--state", "dead"], "not for what is dead"),
        (["sent"], "Name numbers"),
    ],
)
def test_a_slip_at_the_keyboard_is_said_and_changes_nothing(
    doubt: Dispatch, words: list[str], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        run("triggers_resolve", *words)
    assert Dispatch.objects.get().state == DispatchState.UNKNOWN


def test_a_stop_that_cannot_be_written_says_what_else_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: Any, **kwargs: Any) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(installation, "stop", fail)
    with pytest.raises(CommandError, match="SENDING"):
        run("triggers_stop")


def test_the_loop_says_at_once_that_nothing_will_leave(
    now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.stop(now)
    run("triggers_run", "--once")
    assert "Nothing is sent (stopped)" in capsys.readouterr().err
    with pytest.raises(CommandError, match="above zero"):
        run("triggers_run", "--every", "0")


@pytest.mark.parametrize("command", ["triggers_publish", "triggers_check"])
def test_a_folder_without_flows_is_a_mistake(command: str, tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(CommandError, match="neither a letter nor a flow"):
        run(command, str(tmp_path))


def test_a_list_that_cannot_be_written_holds_nothing(doubt: Dispatch, tmp_path: Path) -> None:
    Dispatch.objects.update(state="planned")
    nowhere = str(tmp_path / "no" / "list.csv")
    with pytest.raises(CommandError, match="cannot be written"):
        run("triggers_after_restore", "--since", "2020-01-01T00:00", "--hold", "--csv", nowhere)
    assert Dispatch.objects.get().state == DispatchState.PLANNED


def test_a_letter_that_is_dropped_is_not_listed_any_more(doubt: Dispatch, now: datetime) -> None:
    said = run("triggers_resolve", "list")
    assert f"{doubt.pk}  unknown  no_answer" in said
    assert "anna" not in said.lower()
    assert "1 of 1 done" in run("triggers_resolve", "drop", str(doubt.pk))
    assert "Messages: 0" in run("triggers_resolve", "list")
    with pytest.raises(SystemExit):
        run("triggers_resolve", "sent", str(doubt.pk))
    with pytest.raises(CommandError, match="--flow"):
        run("triggers_resolve", "retry")


# ── A restored backup ────────────────────────────────────────────────────────────────────────────


def test_what_was_due_since_the_backup_is_held_and_listed_and_sends_nothing(
    publish_flow: Any, expire: Any, agreed: int, tmp_path: Path, now: datetime
) -> None:
    publish_flow(SEND, wait("pause", "1h"), {**SEND, "key": "second"})
    expire()
    backup_at = timezone.now() - timedelta(hours=1)
    clockwork.tick(backup_at + timedelta(minutes=59), send=False)
    Pulse.objects.filter(name="tick").update(ran_at=backup_at)
    Enrollment.objects.update(due_at=backup_at)
    expire(code="C3", card="9", at=backup_at)
    expire(code="D4", card="10", at=backup_at + timedelta(minutes=5))
    since = backup_at.isoformat()
    file = tmp_path / "doubts.csv"

    said = run("triggers_after_restore", "--since", since, "--csv", str(file))
    assert "Messages that may have been sent: 1. People who may have moved on: 1." in said
    assert "Nothing was changed" in said
    assert Dispatch.objects.get().state == DispatchState.PLANNED
    with file.open() as lines:
        assert [row["what"] for row in csv.DictReader(lines)] == ["message", "person"]

    assert "Held." in run("triggers_after_restore", "--since", since, "--hold")
    assert (Dispatch.objects.get().state, Dispatch.objects.get().reason) == ("unknown", "restored")
    person = Enrollment.objects.get()
    assert person.state == EnrollmentState.HELD
    for minutes in range(1, 200, 30):
        clockwork.tick(timezone.now() + timedelta(minutes=minutes))
    assert mail.outbox == []
    assert Enrollment.objects.count() == 1

    # Publishing again lets the held go on, but not these.
    publish_flow({**SEND, "key": "another"})
    person.refresh_from_db()
    assert person.state == EnrollmentState.HELD
    assert "restored" in run("triggers_resolve", "list", "--state", "held")
    run("triggers_resolve", "end", "--flow", "gift-cards")
    run("triggers_resolve", "sent", "--flow", "gift-cards")
    assert Message.objects.get().state == MessageState.SENT
    assert mail.outbox == []


def test_a_clock_that_ran_after_the_restore_is_told(now: datetime) -> None:
    clockwork.tick(timezone.now())
    since = (timezone.now() - timedelta(hours=1)).isoformat()
    assert "workers ran before" in run("triggers_after_restore", "--since", since)
    for wrong in ("yesterday", "2026-13-45T99:00"):
        with pytest.raises(CommandError, match="moment"):
            run("triggers_after_restore", "--since", wrong)


# ── Commands about sending ───────────────────────────────────────────────────────────────────────


def test_stop_resume_and_adopt_say_what_they_did(
    say: Setter, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    assert "is stopped, from the next hand-over on" in run("triggers_stop", "--reason", "Oh.")
    assert "stopped already" in run("triggers_stop")
    assert "Sending goes on" in run("triggers_resume")
    assert "was not stopped" in run("triggers_resume")
    assert "belongs to this installation already" in run("triggers_adopt")
    say(ENVIRONMENT="staging")
    monkeypatch.setattr("builtins.input", lambda: "no")
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("triggers_adopt")
    assert installation.is_foreign()
    said = run("triggers_adopt", "--yes")
    assert "staging" in said
    assert not installation.is_foreign()


def test_the_guard_keeps_its_hands_off_rehearsals(say: Setter, now: datetime) -> None:
    say(BLAST_LIMIT=1)
    _cards(3, now)
    Flow.objects.update(state=FlowState.SHADOW)
    rows = list(Dispatch.objects.select_related("message__flow"))
    assert blast.within_limits(rows, now) == rows


def test_mail_that_hangs_does_not_keep_the_tick_from_telling_by_the_next_route(
    say: Setter, settings: Any, hook: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, arrived = hook
    silent = socket.create_server(("127.0.0.1", 0))  # takes the connection and never says a word
    port = silent.getsockname()[1]
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    use_backend(settings, smtp, host="127.0.0.1", port=port, timeout=None)
    monkeypatch.setattr(staff_mail, "TIMEOUT", 0.3)
    settings.ADMINS = [("Boss", "boss@example.com")]
    own = {"to": ["night@example.com"]}
    say(ALARMS={"mail_admins": {}, "email": own, "webhook": {"url": url}})
    alarms.raise_alarm("breaker:email", "The mail server is down.", now)
    began = time.monotonic()
    assert alarms.tell_due(now) == 1
    assert time.monotonic() - began < 5
    assert len(arrived) == 1
    silent.close()


def test_the_projects_admins_are_told_by_the_projects_mail(
    say: Setter, settings: Any, smtp_sink: SmtpSink, now: datetime
) -> None:
    settings.ADMINS = [("Boss", "boss@example.com"), ("Deputy", "deputy@example.com")]
    say(ALARMS={"mail_admins": {}})
    alarms.raise_alarm("x", "It is bad.", now, advice="Look at it.")
    assert alarms.tell_due(now) == 1
    [letter] = smtp_sink.wait_for(1)
    assert letter["To"] == "boss@example.com, deputy@example.com"
    assert letter["Subject"].startswith(settings.EMAIL_SUBJECT_PREFIX)
    assert "Look at it." in letter.get_content()


def test_what_comes_and_goes_is_told_once(say: Setter, hook: Any, now: datetime) -> None:
    url, arrived = hook
    say(ALARMS={"webhook": {"url": url}})
    for minutes in range(0, 60, 4):
        alarms.raise_alarm("lag", "Messages are late.", now + timedelta(minutes=minutes))
        alarms.tell_due(now + timedelta(minutes=minutes))
        alarms.clear("lag", now + timedelta(minutes=minutes + 2))
        alarms.tell_due(now + timedelta(minutes=minutes + 2))
    assert [notice["state"] for notice in arrived] == ["raised"]
    alarms.tell_due(now + timedelta(minutes=80))
    alarms.tell_due(now + timedelta(minutes=81))
    assert [notice["state"] for notice in arrived] == ["raised", "over"]


def test_a_flow_that_is_paused_twice_by_the_guard_is_news_twice_and_switched_off_it_is_none(
    say: Setter, hook: Any, now: datetime
) -> None:
    url, arrived = hook
    say(ALARMS={"webhook": {"url": url}})
    publish_card_flow()
    flow = Flow.objects.get()
    for minutes in (0, 3):
        Flow.objects.update(state="paused")
        alarms.raise_alarm(blast.alarm_key(flow.key), "Too much.", now + timedelta(minutes=minutes))
        alarms.tell_due(now + timedelta(minutes=minutes))
        if not minutes:
            assert blast.confirm(flow, now + timedelta(minutes=1)) is None
    assert [notice["state"] for notice in arrived] == ["raised", "raised"]
    watching.watch(now + timedelta(minutes=4))
    assert Alarm.objects.get().cleared_at is None
    flows.archive(flow.key, now + timedelta(minutes=5))
    watching.watch(now + timedelta(minutes=6))
    assert Alarm.objects.get().cleared_at is not None
