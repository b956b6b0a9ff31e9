"""Who may be written to: the ledger, the suppressions, and the answer in two places at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db.models import OuterRef
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oscar_triggers import signals
from oscar_triggers.exceptions import Immutable
from oscar_triggers.models import (
    ALL_TOPICS,
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Contact,
    Dispatch,
    Suppression,
    SuppressionReason,
    point_hash,
)
from oscar_triggers.policy import consent, suppressions, verdicts
from tests.examples import examples
from tests.policy.rows import enroll, make_flow, plan_message

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ANNA = point_hash("email", "anna@example.com")
GRANT, WITHDRAW = ConsentAction.GRANT, ConsentAction.WITHDRAW

pytestmark = pytest.mark.django_db


def say(
    action: ConsentAction,
    *,
    hours: float = 0,
    topic: str = "offers",
    basis: ConsentBasis = ConsentBasis.CONSENT,
    point: str = ANNA,
    **values: Any,
) -> None:
    consent.write_many(
        [
            consent.Line(
                channel="email",
                point_hash=point,
                topic=topic,
                action=action,
                basis=basis,
                source="test",
                occurred_at=NOW + timedelta(hours=hours),
                **values,
            )
        ],
        NOW + timedelta(days=30),
    )


def ask(*, stream: str = "promotional", topic: str = "offers", point: str = ANNA) -> Any:
    """Judge, and check that the database gives the very same answer inside a statement."""
    [judged] = verdicts.judge_many(
        [
            verdicts.SendRequest(
                message_id=1,
                contact_id=1,
                channel="email",
                point_hash=point,
                stream=stream,
                topic=topic,
            )
        ],
        NOW,
    )
    probe, _ = Contact.objects.get_or_create(identity_key="probe", defaults={"created_at": NOW})
    condition = consent.allowed_condition("email", point, stream, topic)
    updated = Contact.objects.filter(condition, pk=probe.pk).update(first_name="probed")
    if point:
        assert bool(updated) == isinstance(judged, verdicts.Allowed)
    return judged


def test_nobody_is_written_to_who_never_said_yes() -> None:
    assert ask().reason == "no_consent"


def test_a_grant_allows_and_the_decision_names_the_line() -> None:
    say(GRANT)
    judged = ask()
    row = ConsentEvent.objects.get()
    assert isinstance(judged, verdicts.Allowed)
    assert judged.compared["consent_event"] == row.pk
    assert judged.compared["basis"] == "consent"
    assert judged.compared["source"] == "test"
    assert judged.compared["occurred_at"] == NOW.isoformat()


def test_a_grant_for_one_topic_allows_no_other() -> None:
    say(GRANT, topic="news")
    assert ask(topic="offers").reason == "no_consent"
    assert isinstance(ask(topic="news"), verdicts.Allowed)


def test_a_withdrawal_of_everything_ends_what_was_granted_for_a_topic() -> None:
    say(GRANT)
    say(WITHDRAW, hours=1, topic=ALL_TOPICS)
    assert ask().reason == "withdrawn"


def test_who_opts_in_again_later_is_written_to_again() -> None:
    say(WITHDRAW, topic=ALL_TOPICS)
    say(GRANT, hours=1)
    assert isinstance(ask(), verdicts.Allowed)


def test_a_line_reported_late_counts_from_when_the_person_did_it() -> None:
    say(WITHDRAW, hours=2)
    say(GRANT, hours=1)
    assert ask().reason == "withdrawn"


def test_of_two_lines_of_one_moment_the_one_written_last_counts() -> None:
    say(GRANT)
    say(WITHDRAW)
    assert ask().reason == "withdrawn"


def test_a_line_from_the_future_cannot_outlive_a_withdrawal() -> None:
    line = consent.Line(
        channel="email",
        point_hash=ANNA,
        topic="offers",
        action=GRANT,
        source="test",
        occurred_at=NOW + timedelta(days=365),
    )
    consent.write_many([line], NOW)
    assert ConsentEvent.objects.get().occurred_at == NOW
    say(WITHDRAW, hours=1)
    assert ask().reason == "withdrawn"


def test_a_sale_allows_only_where_the_shop_says_so(settings: Any) -> None:
    say(GRANT, basis=ConsentBasis.SOFT_OPT_IN, topic=ALL_TOPICS)
    assert ask().reason == "no_consent"
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SOFT_OPT_IN": True}
    assert ask().compared["basis"] == "soft_opt_in"


@pytest.mark.parametrize("basis", [ConsentBasis.SOFT_OPT_IN, ConsentBasis.LEGITIMATE_INTEREST])
def test_a_later_sale_never_undoes_a_withdrawal(settings: Any, basis: ConsentBasis) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SOFT_OPT_IN": True}
    say(WITHDRAW, topic=ALL_TOPICS)
    say(GRANT, basis=basis, topic=ALL_TOPICS, hours=5)
    assert ask().reason == "withdrawn"


def test_a_bounce_stops_every_stream_whatever_the_consent() -> None:
    say(GRANT)
    assert suppressions.suppress("email", ANNA, SuppressionReason.BOUNCE, NOW)
    assert not suppressions.suppress("email", ANNA, SuppressionReason.COMPLAINT, NOW)
    assert ask().reason == "suppressed"
    assert ask(stream="transactional").reason == "suppressed"
    assert ask().compared["suppression"] == "bounce"
    assert suppressions.lift("email", ANNA)
    assert isinstance(ask(), verdicts.Allowed)


def test_order_confirmations_need_no_consent_and_survive_its_withdrawal() -> None:
    say(WITHDRAW, topic=ALL_TOPICS)
    assert isinstance(ask(stream="transactional"), verdicts.Allowed)


def test_a_person_without_a_point_on_the_channel_is_skipped() -> None:
    assert ask(point="").reason == "no_point"
    assert ask(point="", stream="transactional").reason == "no_point"


def test_consent_of_one_address_says_nothing_of_another() -> None:
    say(GRANT)
    assert ask(point=point_hash("email", "bella@example.com")).reason == "no_consent"


def test_a_batch_is_judged_by_two_queries_however_large(django_assert_num_queries: Any) -> None:
    hashes = [point_hash("email", f"guest{n}@example.com") for n in range(200)]
    for hash_ in hashes[:50]:
        say(GRANT, point=hash_)
    requests = [
        verdicts.SendRequest(
            message_id=n,
            contact_id=n,
            channel="email",
            point_hash=hash_,
            stream="promotional",
            topic="offers",
        )
        for n, hash_ in enumerate(hashes)
    ]
    with django_assert_num_queries(2):
        judged = verdicts.judge_many(requests, NOW)
    assert [isinstance(one, verdicts.Allowed) for one in judged] == [True] * 50 + [False] * 150


def test_the_ledger_can_be_written_but_never_changed() -> None:
    say(GRANT)
    row = ConsentEvent.objects.get()
    with pytest.raises(Immutable):
        row.save()
    with pytest.raises(Immutable):
        row.delete()


def test_the_same_act_reported_twice_is_one_line() -> None:
    say(GRANT, dedup_key="act:1")
    say(GRANT, dedup_key="act:1")
    assert ConsentEvent.objects.count() == 1


def test_who_listens_learns_of_a_change_after_the_commit(
    django_capture_on_commit_callbacks: Any,
) -> None:
    heard: list[dict[str, Any]] = []

    def hear(**kwargs: Any) -> None:
        heard.append(kwargs)

    signals.consent_changed.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            say(GRANT)
            assert not heard
    finally:
        signals.consent_changed.disconnect(hear)
    assert (heard[0]["topic"], heard[0]["action"]) == ("offers", "grant")


def test_the_condition_works_on_the_columns_of_the_rows_it_filters() -> None:
    contact = Contact.objects.create(identity_key="x", created_at=NOW)
    flow = make_flow("f")
    allowed = plan_message(enroll(flow, contact.pk, "basket:1:1"), "anna@example.com")
    plan_message(enroll(flow, contact.pk, "basket:2:1"), "bella@example.com")
    say(GRANT)
    condition = consent.allowed_condition(
        "email", OuterRef("point_hash"), "promotional", OuterRef("message__topic")
    )
    assert [d.message for d in Dispatch.objects.filter(condition)] == [allowed]


_LINES = st.lists(
    st.tuples(
        st.sampled_from([GRANT, WITHDRAW]),
        st.sampled_from(list(ConsentBasis)),
        st.sampled_from(["offers", "news", ALL_TOPICS]),
        st.integers(0, 3),
    ),
    max_size=6,
)


@hypothesis_settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines=_LINES, suppressed=st.booleans(), soft=st.booleans())
def test_python_and_the_database_never_disagree(
    settings: Any, lines: list[Any], suppressed: bool, soft: bool
) -> None:
    ConsentEvent.objects.all().delete()
    Suppression.objects.all().delete()
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SOFT_OPT_IN": soft}
    for action, basis, topic, hours in lines:
        say(action, basis=basis, topic=topic, hours=hours)
    if suppressed:
        suppressions.suppress("email", ANNA, SuppressionReason.MANUAL, NOW)
    for stream, topic in product(["promotional", "transactional"], ["offers", "news"]):
        ask(stream=stream, topic=topic)


def test_a_new_secret_key_loses_no_consent_where_the_ledger_has_a_key_of_its_own(
    settings: Any,
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "POINT_KEY": "kept for ever"}
    before = point_hash("email", "anna@example.com")
    settings.SECRET_KEY = "changed after a leak"
    assert point_hash("email", "anna@example.com") == before
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "POINT_KEY": ""}
    assert point_hash("email", "anna@example.com") != before
