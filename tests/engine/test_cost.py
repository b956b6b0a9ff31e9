"""What sending costs: statements of a batch, and of each letter in it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers.engine import clockwork, intake, outbox
from tests.storm.world import card_records, plan_basket_letters, publish_card_flow

pytestmark = pytest.mark.django_db(transaction=True)

#: The mark; the end of the dispatches and of the messages before it; why they went.
EACH_GROUP = 4
_FRAMES = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def _statements(moment: datetime, letters: int) -> Counter[str]:
    before = len(mail.outbox)
    with CaptureQueriesContext(connection) as found:
        outbox.send_due(moment, limit=letters)
    assert len(mail.outbox) == before + letters
    verbs = [query["sql"].split(maxsplit=1)[0] for query in found.captured_queries]
    return Counter(verb for verb in verbs if verb not in _FRAMES)


def _check(moment: datetime, group: int, groups: int) -> None:
    few = _statements(moment, group)  # what a process learns once is learnt
    few = _statements(moment, group)
    many = _statements(moment, group * groups)
    each = (many.total() - few.total()) / (groups - 1)
    assert each <= EACH_GROUP, many
    assert each == int(each), "the batch's own part depends on its size"
    assert many["SELECT"] == few["SELECT"], many
    assert few.total() - each <= 30, few


@pytest.mark.parametrize(("group", "groups"), [(1, 50), (20, 25)])
def test_a_batch_of_letters_costs_a_constant_and_a_little_for_each_group(
    now: datetime, settings: Any, group: int, groups: int
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "HAND_OVER_GROUP": group}
    publish_card_flow()
    intake.record_many(card_records(group * (groups + 2)))
    clockwork.tick(now, send=False)
    _check(now + timedelta(seconds=1), group, groups)


@pytest.mark.parametrize(("group", "groups"), [(1, 20), (20, 5)])
def test_letters_about_baskets_cost_no_more_questions_for_many(
    now: datetime, settings: Any, group: int, groups: int
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "HAND_OVER_GROUP": group}
    plan_basket_letters(group * (groups + 2))
    _check(now + timedelta(seconds=1), group, groups)
