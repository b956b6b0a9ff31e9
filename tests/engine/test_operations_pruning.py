"""Rows go, what they add up to stays, and nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from oscar_triggers.engine import clockwork, intake, pruning
from oscar_triggers.engine import totals as engine_totals
from oscar_triggers.insight import totals
from oscar_triggers.models import (
    ConsentEvent,
    Contact,
    Conversion,
    DailyTotal,
    Decision,
    Dispatch,
    Enrollment,
    Flow,
    Hit,
    JournalEntry,
    Message,
    OrderWatch,
    Pulse,
)
from tests.storm.world import card_records, publish_card_flow

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2024, 3, 5, 12, tzinfo=UTC)
DAY = LONG_AGO.date()


@pytest.fixture
def say(settings: Any) -> Callable[..., None]:
    """Return a function that changes keys of OSCAR_TRIGGERS."""

    def change(**keys: Any) -> None:
        settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, **keys}

    return change


@pytest.fixture
def old_letters(now: datetime) -> None:
    """Have three letters sent and one decided against, all of them long ago."""
    publish_card_flow()
    Flow.objects.update(active_since=LONG_AGO - timedelta(days=1))
    intake.record_many(card_records(4))
    ConsentEvent.objects.filter(pk=ConsentEvent.objects.latest("pk").pk).delete()
    clockwork.tick(now)
    Message.objects.update(settled_at=LONG_AGO)
    Dispatch.objects.update(settled_at=LONG_AGO)
    Enrollment.objects.update(
        entered_at=LONG_AGO, ended_at=LONG_AGO, state="ended", exit_reason="completed"
    )
    JournalEntry.objects.update(routed_at=LONG_AGO)
    Decision.objects.update(decided_at=LONG_AGO, last_seen_at=LONG_AGO)
    first = Message.objects.filter(state="sent").earliest("pk")
    Message.objects.filter(pk=first.pk).update(
        clicked_at=LONG_AGO + timedelta(days=2), variants={"split-1": "b"}
    )
    Hit.objects.create(message=first, link_no=1, occurred_at=LONG_AGO)
    for value in ("10.00", "5.50"):
        Conversion.objects.create(
            message=first, kind="order_placed", value=Decimal(value), currency="EUR",
            occurred_at=LONG_AGO,
        )  # fmt: skip


def _seen() -> dict[tuple[str, str, str], tuple[int, Decimal | None]]:
    return {
        (key.measure, key.variant, key.currency): (one.count, one.value)
        for key, one in totals.daily(DAY, DAY).items()
        if one.count
    }


def test_totals_are_the_same_before_in_the_middle_of_and_after_pruning(
    old_letters: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _seen()
    assert before["sent", "", ""] == (2, None)
    assert before["sent", "b", ""] == (1, None)
    assert before["clicked", "b", ""] == (1, None)
    assert before["skipped:no_consent", "", ""][0] == 1
    assert before["converted:order_placed", "b", "EUR"] == (2, Decimal("15.50"))
    assert before["entered", "", ""] == (4, None)
    assert before["ended:completed", "", ""] == (4, None)
    monkeypatch.setattr(pruning, "_BATCH", 1)
    done = False
    rounds = 0
    while not done:
        _gone, done = pruning.prune(now, seconds=0)
        rounds += 1
        assert _seen() == before
        assert rounds < 100
    assert rounds > 8
    assert not Message.objects.exists()
    assert not Enrollment.objects.exists()
    assert not JournalEntry.objects.exists()
    assert not Decision.objects.exists()
    assert DailyTotal.objects.exists()
    assert Contact.objects.count() == 4
    assert ConsentEvent.objects.count() == 3


def test_a_crash_in_the_middle_loses_and_doubles_nothing(
    old_letters: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _seen()
    kept = engine_totals.keep

    def crash(sums: Any) -> None:
        kept(sums)
        raise RuntimeError("killed")

    monkeypatch.setattr(engine_totals, "keep", crash)
    with pytest.raises(RuntimeError):
        pruning.prune(now)
    assert _seen() == before
    monkeypatch.setattr(engine_totals, "keep", kept)
    pruning.prune(now)
    assert _seen() == before


def test_personal_data_goes_before_the_rows_do(
    old_letters: None, now: datetime, say: Callable[..., None]
) -> None:
    say(RETENTION={"messages": None, "enrollments": None, "journal": None, "decisions": None})
    assert JournalEntry.objects.exclude(person={}).exists()
    pruning.prune(now)
    assert Message.objects.filter(payload__isnull=True).count() == Message.objects.count() == 4
    assert not JournalEntry.objects.exclude(person={}).exists()
    assert not Hit.objects.exists()
    assert Enrollment.objects.count() == 4


def test_who_may_never_come_again_is_remembered_and_who_is_on_the_way_stays(
    old_letters: None, now: datetime
) -> None:
    on_the_way = Enrollment.objects.latest("pk")
    Enrollment.objects.filter(pk=on_the_way.pk).update(state="active", ended_at=None)
    pruning.prune(now)
    assert list(Enrollment.objects.values_list("pk", flat=True)) == [on_the_way.pk]
    assert JournalEntry.objects.count() == 1
    Enrollment.objects.update(state="ended", ended_at=LONG_AGO)
    publish_card_flow(reentry="never")
    pruning.prune(now)
    assert Enrollment.objects.count() == 1


def test_what_is_young_stays(now: datetime) -> None:
    publish_card_flow()
    intake.record_many(card_records(2))
    clockwork.tick(now)
    assert set(pruning.prune(now)[0].values()) == {0}
    assert Message.objects.filter(payload__isnull=False).count() == 2


def test_the_clockwork_prunes_once_a_day(old_letters: None, now: datetime) -> None:
    Pulse.objects.filter(name="sweep:pruning").delete()
    clockwork.tick(now + timedelta(minutes=1))
    assert not Message.objects.exists()
    pulse = Pulse.objects.get(name="sweep:pruning")
    assert pulse.detail["messages"] == 4
    assert pulse.position_at is not None


def test_the_command_counts_before_it_does(old_letters: None) -> None:
    out = StringIO()
    call_command("triggers_prune", "--dry-run", stdout=out)
    assert "messages             4 would go (older than 730 days)" in out.getvalue()
    assert Message.objects.count() == 4
    call_command("triggers_prune", stdout=out)
    assert not Message.objects.exists()
    later = timezone.now().date()
    assert totals.daily(later, later + timedelta(days=1)) == {}
    assert date(2024, 3, 5) == DAY


def test_an_order_is_remembered_as_long_as_the_sweep_would_take_it_for_a_new_one() -> None:
    for number, placed in ((1, 380), (2, 700)):
        OrderWatch.objects.create(
            order_id=number,
            number=str(number),
            placed_at=LONG_AGO - timedelta(days=placed),
            seen_at=LONG_AGO - timedelta(days=placed),
            closed_at=LONG_AGO - timedelta(days=500),
        )
    # Kept for 400 days and for as long as orders are watched on top.
    with override_settings(OSCAR_TRIGGERS={"ORDER_MAX_AGE": timedelta(days=100)}):
        assert pruning.count(LONG_AGO)["orders"] == 1
    with override_settings(OSCAR_TRIGGERS={"ORDER_MAX_AGE": timedelta(days=330)}):
        assert pruning.count(LONG_AGO)["orders"] == 0
