"""The same new person seen by twenty workers at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import connection, connections

from oscar_triggers.engine import contacts
from oscar_triggers.models import Contact, ContactPoint
from oscar_triggers.snapshots import Person

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORKERS = 20


@pytest.mark.django_db(transaction=True)
def test_twenty_workers_that_meet_the_same_new_guest_make_one_contact_with_one_point() -> None:
    barrier = Barrier(WORKERS)

    def meet(number: int) -> int | None:
        try:
            barrier.wait(timeout=30)
            others = [(Person(email=f"other{n}@example.com"), None) for n in range(3)]
            people = [(Person(email="Guest@Example.com"), None), *others]
            if number % 2:
                people.reverse()
            ids = contacts.resolve_many(people, NOW)
            return ids[-1 if number % 2 else 0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        found = set(pool.map(meet, range(WORKERS)))

    assert len(found) == 1
    assert Contact.objects.count() == 4
    assert ContactPoint.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_join_the_same_guest_at_once_join_it_once() -> None:
    from django.contrib.auth import get_user_model

    user = get_user_model()._default_manager.create(username="anna", email="anna@example.com")
    contacts.resolve(Person(email="anna@example.com"), now=NOW)
    barrier = Barrier(8)
    proof = Person(user_id=user.pk, email="anna@example.com", email_verified=True)

    def log_in(_number: int) -> int | None:
        try:
            barrier.wait(timeout=30)
            return contacts.resolve(proof, now=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(log_in, range(8)))

    assert len(found) == 1, connection.vendor
    account = Contact.objects.get(identity_key=f"user:{user.pk}")
    assert found == {account.pk}
    assert Contact.objects.exclude(pk=account.pk).get().joined_into_id == account.pk
    assert ContactPoint.objects.get().contact_id == account.pk
