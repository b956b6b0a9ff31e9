"""A mail server is called once for many batches."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_triggers.engine import clockwork, intake, outbox
from oscar_triggers.models import Dispatch
from tests.mail import SmtpSink
from tests.storm.world import card_records, publish_card_flow

LETTERS = 9


@pytest.fixture
def due(settings: Any, now: datetime, db: None) -> datetime:
    """Let nine letters be due, of which two make a batch; return a moment to send them at."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "BATCH_SIZE": 2}
    publish_card_flow()
    intake.record_many(card_records(LETTERS))
    clockwork.tick(now, send=False)
    return now + timedelta(seconds=1)


def test_the_batches_of_a_tick_share_one_connection(smtp_sink: SmtpSink, due: datetime) -> None:
    clockwork.tick(due)
    smtp_sink.wait_for(LETTERS)
    assert len(smtp_sink.peers) == 1
    clockwork.tick(due)
    assert len(smtp_sink.raw) == LETTERS


def test_a_workers_ids_share_one_connection(smtp_sink: SmtpSink, due: datetime) -> None:
    # Workers ask the database what time it is.
    Dispatch.objects.update(due_at=due - timedelta(minutes=1))
    ids = list(Dispatch.objects.values_list("pk", flat=True))
    while ids:
        ids = clockwork.work_on(ids)
    smtp_sink.wait_for(LETTERS)
    # One for each turn of half a second, of which a busy machine may need several.
    assert len(smtp_sink.peers) < LETTERS / 2


def test_a_batch_alone_hangs_up_at_its_end(smtp_sink: SmtpSink, due: datetime) -> None:
    while outbox.send_due(due):
        pass
    smtp_sink.wait_for(LETTERS)
    assert len(smtp_sink.peers) == 5
