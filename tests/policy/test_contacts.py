"""Who is who: one contact for each person, whatever they typed and wherever they came from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oscar_triggers.engine import contacts
from oscar_triggers.models import (
    BasketWatch,
    ConsentAction,
    ConsentEvent,
    Contact,
    ContactPoint,
    Enrollment,
    EnrollmentState,
    ExitReason,
    JournalEntry,
    point_hash,
)
from oscar_triggers.policy import consent
from oscar_triggers.snapshots import Person
from tests.policy.rows import enroll, make_flow, plan_message

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def resolve(**known: Any) -> int | None:
    return contacts.resolve(Person(**known), now=known.pop("now", NOW))


def points_of(contact_id: int | None) -> set[tuple[str, str]]:
    return set(
        ContactPoint.objects.filter(contact_id=contact_id).values_list("channel", "normalised")
    )


def test_a_guest_who_types_the_address_in_any_case_is_one_contact() -> None:
    first = resolve(email="Anna@Example.COM")
    second = resolve(email="  anna@example.com ")
    assert first == second
    assert points_of(first) == {("email", "anna@example.com")}


def test_two_mailboxes_that_only_case_folding_would_make_equal_stay_two_people() -> None:
    assert resolve(email="strasse@example.com") != resolve(email="straße@example.com")


def test_a_domain_in_another_script_is_the_same_address_as_its_ascii_spelling() -> None:
    first = resolve(email="info@bücher.example")
    assert first == resolve(email="info@XN--BCHER-KVA.example")
    assert points_of(first) == {("email", "info@xn--bcher-kva.example")}


def test_a_phone_without_country_code_belongs_to_the_shops_region(settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "PHONE_REGION": "GB"}
    first = resolve(phone="020 7946 0018")
    assert first == resolve(phone="+44 20 7946 0018")
    assert points_of(first) == {("sms", "+442079460018")}


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "anna",
        "anna@",
        "@example.com",
        "a b@example.com",
        "a@b\nBcc: c@d.example",
        "x@" + "y" * 320 + ".example",
        "anna@exa mple.com",
        "a@-.example",
        "a@\u0000.example",
    ],
)
def test_what_is_no_address_is_left_out_and_breaks_nothing(typed: str) -> None:
    assert resolve(email=typed) is None
    contact = resolve(email=typed, phone="+442079460018")
    assert points_of(contact) == {("sms", "+442079460018")}


@pytest.mark.parametrize("typed", ["12", "phone", "++", "+1", "0" * 60, "٠١"])
def test_what_is_no_phone_number_is_left_out_and_breaks_nothing(typed: str) -> None:
    assert resolve(phone=typed) is None
    assert points_of(resolve(email="anna@example.com", phone=typed)) == {
        ("email", "anna@example.com")
    }


def test_a_member_is_known_by_the_account_and_brings_its_address_and_name(member: Any) -> None:
    contact = Contact.objects.get(pk=resolve(user_id=member.pk))
    assert contact.identity_key == f"user:{member.pk}"
    assert contact.first_name == "Anna"
    assert points_of(contact.pk) == {("email", "anna@example.com")}


def test_an_account_that_is_gone_by_now_leaves_what_a_guest_would_have_told(member: Any) -> None:
    gone = member.pk
    member.delete()
    assert resolve(user_id=gone) is None
    assert points_of(resolve(user_id=gone, email="anna@example.com")) == {
        ("email", "anna@example.com")
    }


def test_a_batch_asks_the_same_number_of_queries_for_one_and_for_forty(
    django_assert_max_num_queries: Any, member: Any
) -> None:
    people = [
        (Person(email=f"guest{n}@example.com", phone=f"+4420794600{n:02}"), 1)
        for n in range(10, 50)
    ]
    with django_assert_max_num_queries(14):
        ids = contacts.resolve_many([*people, (Person(user_id=member.pk), 1)], NOW)
    assert len(set(ids)) == 41


def test_language_time_zone_and_site_of_the_newest_act_are_kept() -> None:
    first = contacts.resolve(
        Person(email="a@example.com", language="de", time_zone="Europe/Berlin"), site_id=1, now=NOW
    )
    contacts.resolve(
        Person(email="a@example.com", language="ru"), site_id=2, now=NOW + timedelta(hours=2)
    )
    contact = Contact.objects.get(pk=first)
    assert (contact.language, contact.time_zone, contact.site_id) == ("ru", "Europe/Berlin", 2)
    assert contact.seen_at == NOW + timedelta(hours=2)


def test_a_guest_who_logs_in_with_the_same_address_becomes_one_contact(member: Any) -> None:
    guest = resolve(email="anna@example.com", phone="+442079460018")
    JournalEntry.objects.create(
        kind="x", dedup_key="x", contact_id=guest, occurred_at=NOW, recorded_at=NOW
    )
    BasketWatch.objects.create(basket_id=7, contact_id=guest)
    hash_ = point_hash("email", "anna@example.com")
    consent.write_many(
        [
            consent.Line(
                channel="email",
                point_hash=hash_,
                topic="offers",
                action=ConsentAction.GRANT,
                contact_id=guest,
                source="checkout",
                occurred_at=NOW,
            )
        ],
        NOW,
    )
    enrollment = enroll(make_flow("left-basket"), guest, "basket:7:1")
    message = plan_message(enrollment, "anna@example.com")

    account = resolve(user_id=member.pk, email="anna@example.com", email_verified=True)

    assert account != guest
    assert points_of(account) == {("email", "anna@example.com"), ("sms", "+442079460018")}
    assert points_of(guest) == set()
    assert BasketWatch.objects.get().contact_id == account
    assert JournalEntry.objects.get().contact_id == account
    assert ConsentEvent.objects.get().contact_id == account
    enrollment.refresh_from_db()
    assert (enrollment.contact_id, enrollment.state) == (account, EnrollmentState.ACTIVE)
    message.refresh_from_db()
    assert message.contact_id == account
    assert message.dispatches.get().point.contact_id == account
    assert resolve(email="anna@example.com") == account, "the guest's key leads to the account"


def test_an_address_that_was_only_typed_proves_nothing(member: Any) -> None:
    account = resolve(user_id=member.pk, email="anna@example.com", email_verified=True)
    typed = resolve(email="anna@example.com")
    assert typed != account
    assert resolve(user_id=member.pk) == account
    assert Contact.objects.get(pk=typed).joined_into is None


def test_a_guest_who_paid_with_an_address_that_one_account_proved_joins_that_account(
    member: Any,
) -> None:
    account = resolve(user_id=member.pk, email="anna@example.com", email_verified=True)
    guest = resolve(email="anna@example.com")
    assert resolve(email="anna@example.com", email_verified=True) == account
    assert Contact.objects.get(pk=guest).joined_into_id == account


def test_two_accounts_are_never_joined(member: Any, django_user_model: Any) -> None:
    other = django_user_model.objects.create_user("bella", email="anna@example.com")
    first = resolve(user_id=member.pk, email="anna@example.com", email_verified=True)
    second = resolve(user_id=other.pk, email="anna@example.com", email_verified=True)
    assert first != second
    assert not contacts.join(first or 0, second or 0, NOW)
    guest = resolve(email="anna@example.com", email_verified=True)
    assert guest not in {first, second}, "nobody can tell whose guest this is"


def test_an_account_that_was_deleted_is_not_taken_for_a_guest(
    member: Any, django_user_model: Any
) -> None:
    first = resolve(user_id=member.pk, email="anna@example.com", email_verified=True)
    member.delete()
    other = django_user_model.objects.create_user("bella", email="anna@example.com")
    second = resolve(user_id=other.pk, email="anna@example.com", email_verified=True)
    assert first != second
    assert Contact.objects.get(pk=first).joined_into is None


def test_a_visitor_who_types_a_members_address_changes_nothing_of_the_member(member: Any) -> None:
    resolve(email="anna@example.com")
    account = resolve(
        user_id=member.pk, email="anna@example.com", email_verified=True, language="de"
    )
    visitor = resolve(
        email="anna@example.com", phone="+442079460018", first_name="Mallory", language="ru"
    )
    assert visitor == account
    contact = Contact.objects.get(pk=account)
    assert (contact.first_name, contact.language) == ("Anna", "de")
    assert points_of(account) == {("email", "anna@example.com")}


def test_a_link_that_was_forwarded_does_not_make_two_people_one() -> None:
    owner = resolve(email="owner@example.com")
    friend = resolve(contact_id=owner, email="friend@example.com")
    assert friend != owner
    assert resolve(contact_id=owner) == owner
    assert resolve(contact_id=owner, email="OWNER@example.com") == owner


def test_a_link_to_a_contact_that_was_joined_leads_to_the_one_that_stayed(member: Any) -> None:
    guest = resolve(email="anna@example.com")
    account = resolve(user_id=member.pk, email="anna@example.com", email_verified=True)
    assert resolve(contact_id=guest) == account


def test_of_two_ways_through_one_flow_the_furthest_stays(member: Any) -> None:
    flow = make_flow("left-basket")
    guest = resolve(email="anna@example.com")
    account = resolve(user_id=member.pk)
    far = enroll(flow, guest, "basket:1:1", passes={"wait-1": 1, "letter-1": 1})
    near = enroll(flow, account, "basket:2:1", passes={"wait-1": 1})
    waiting = plan_message(near, "anna@example.com")

    resolve(user_id=member.pk, email="anna@example.com", email_verified=True)

    far.refresh_from_db()
    near.refresh_from_db()
    waiting.refresh_from_db()
    assert (far.state, far.contact_id) == (EnrollmentState.ACTIVE, account)
    assert (near.state, near.exit_reason) == (EnrollmentState.ENDED, ExitReason.SUPERSEDED)
    assert waiting.state == "cancelled"


def test_the_same_basket_known_to_both_goes_on_once(member: Any) -> None:
    flow = make_flow("left-basket")
    guest = resolve(email="anna@example.com")
    account = resolve(user_id=member.pk)
    theirs = enroll(flow, guest, "basket:1:1", passes={"wait-1": 1})
    mine = enroll(flow, account, "basket:1:1")

    resolve(user_id=member.pk, email="anna@example.com", email_verified=True)

    theirs.refresh_from_db()
    mine.refresh_from_db()
    assert (theirs.state, theirs.episode_key) == (EnrollmentState.ACTIVE, "basket:1:1")
    assert (mine.state, mine.exit_reason) == (EnrollmentState.ENDED, ExitReason.JOINED)
    assert Enrollment.objects.filter(contact_id=account).count() == 2


def test_everyone_with_the_account_the_address_or_the_phone_counts_as_the_same_person(
    member: Any,
) -> None:
    account = resolve(user_id=member.pk)
    guest = resolve(email="anna@example.com")
    caller = resolve(phone="+442079460018")
    stranger = resolve(email="other@example.com")
    same = contacts.same_person_ids(
        Person(user_id=member.pk, email="ANNA@example.com", phone="+44 20 7946 0018")
    )
    assert same == {account, guest, caller}
    assert stranger not in same
    assert contacts.same_person_ids(Person()) == set()
    assert contacts.same_person_ids(Person(email="no address")) == set()


def test_control_characters_that_databases_refuse_break_nothing() -> None:
    contact = resolve(
        email="anna@example.com", phone="+44 20\0 7946 0018", first_name="An\0na" * 60
    )
    assert "\0" not in Contact.objects.get(pk=contact).first_name
