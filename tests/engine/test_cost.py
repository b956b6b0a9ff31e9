"""What sending costs: statements of a batch, and of each letter in it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers.engine import clockwork, intake, outbox
from tests.storm.world import card_records, plan_basket_letters, publish_card_flow

pytestmark = pytest.mark.django_db(transaction=True)

#: The mark, the dispatch's and the message's end: what a crash in between must not undo.
EACH_LETTER = 4
MANY = 50
_FRAMES = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def _statements(moment: datetime, letters: int) -> Counter[str]:
    before = len(mail.outbox)
    with CaptureQueriesContext(connection) as found:
        outbox.send_due(moment, limit=letters)
    assert len(mail.outbox) == before + letters
    verbs = [query["sql"].split(maxsplit=1)[0] for query in found.captured_queries]
    return Counter(verb for verb in verbs if verb not in _FRAMES)


def _check(moment: datetime) -> None:
    few = _statements(moment, 1)  # what a process learns once is learnt
    few = _statements(moment, 1)
    many = _statements(moment, MANY)
    each = (many.total() - few.total()) / (MANY - 1)
    assert each <= EACH_LETTER, many
    assert each == int(each), "the batch's own part depends on its size"
    assert (many["SELECT"], many["INSERT"]) == (few["SELECT"], few["INSERT"]), many
    assert few.total() - each <= 30, few


def test_a_batch_of_letters_costs_a_constant_and_a_little_for_each(now: datetime) -> None:
    publish_card_flow()
    intake.record_many(card_records(MANY + 2))
    clockwork.tick(now, send=False)
    _check(now + timedelta(seconds=1))


def test_letters_about_baskets_cost_no_more_questions_for_many(now: datetime) -> None:
    plan_basket_letters(MANY + 2)
    _check(now + timedelta(seconds=1))
