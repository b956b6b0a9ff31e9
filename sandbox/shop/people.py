"""Who works at the shop and who buys there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from oscar.test import factories

from oscar_triggers.engine import contacts
from oscar_triggers.models import ConsentAction, ConsentBasis, ContactPoint
from oscar_triggers.policy import consent
from oscar_triggers.snapshots import Person

CUSTOMERS = 300
_FIRST = {
    "en": ("Alice", "Ben", "Chloe", "Dan", "Ella", "Finn", "Grace", "Harry", "Isla", "Jack"),
    "de": ("Anke", "Bernd", "Clara", "Dirk", "Eva", "Frieda", "Georg", "Heike", "Jonas", "Lena"),
    "ru": ("Анна", "Борис", "Вера", "Глеб", "Дарья", "Егор", "Зоя", "Иван", "Ксения", "Лев"),
}
_LAST = {
    "en": ("Archer", "Bell", "Carter", "Dale", "Ellis", "Fox", "Green", "Hall", "Ives", "Kerr"),
    "de": ("Ahrens", "Brandt", "Cordes", "Dietz", "Engel", "Fuchs", "Graf", "Horn", "Jung", "Kolb"),
    "ru": ("Ким", "Левин", "Мороз", "Новак", "Орлова", "Попов", "Рябин", "Сорока", "Титова", "Ус"),
}
_ZONES = {
    "en": ("Europe/London", "America/New_York"),
    "de": ("Europe/Berlin", "Europe/Vienna"),
    "ru": ("Europe/Riga", "Asia/Almaty"),
}
_OPT_IN_TEXT = {
    "en": "Yes, send me reminders and offers by e-mail. I can leave at any time.",
    "de": "Ja, schickt mir Erinnerungen und Angebote per E-Mail. Ich kann das jederzeit beenden.",
    "ru": "Да, присылайте мне напоминания и предложения по почте. Я могу отписаться в любой день.",
}


@dataclass(frozen=True, kw_only=True)
class Login:
    """Somebody whose password the sandbox prints."""

    role: str
    email: str
    password: str
    first_name: str
    last_name: str


ADMIN = Login(
    role="admin", email="admin@kettle-and-pine.example", password="admin",
    first_name="Ada", last_name="Admin",
)  # fmt: skip
EDITOR = Login(
    role="editor", email="editor@kettle-and-pine.example", password="editor",
    first_name="Ed", last_name="Editor",
)  # fmt: skip
CUSTOMER = Login(
    role="customer", email="anna@example.com", password="customer",
    first_name="Anna", last_name="Bell",
)  # fmt: skip
LOGINS = (ADMIN, EDITOR, CUSTOMER)


def hire_and_invite() -> None:
    """Make the admin, the editor and the customer, or give them back their passwords."""
    for login in LOGINS:
        user, _ = get_user_model().objects.get_or_create(
            username=login.role,
            defaults={
                "email": login.email,
                "first_name": login.first_name,
                "last_name": login.last_name,
            },
        )
        user.is_staff = user.is_superuser = login is ADMIN
        user.set_password(login.password)
        user.save()
        if login is EDITOR:
            user.groups.set(Group.objects.filter(name__in=("Moderators", "Editors")))
            user.user_permissions.set(
                Permission.objects.filter(
                    content_type__app_label__in=("wagtail_triggers", "oscar_triggers")
                )
            )


def make_customers(random: Random, now: datetime) -> list[Any]:
    """Make the customers, with contacts, and consent for four in five; return their accounts."""
    model = get_user_model()
    users, languages = [], []
    for number in range(CUSTOMERS):
        language = random.choices(("en", "de", "ru"), (6, 3, 2))[0]
        users.append(
            factories.UserFactory.build(
                username=f"customer{number:03d}",
                email=f"customer{number:03d}@example.com",
                first_name=random.choice(_FIRST[language]),
                last_name=random.choice(_LAST[language]),
                password=None,  # Nobody can sign in with an unusable password.
                date_joined=now - timedelta(days=random.uniform(1, 400)),
            )
        )
        languages.append(language)
    model.objects.bulk_create(users)
    users.append(model.objects.get(username=CUSTOMER.role))
    languages.append("en")
    _make_contacts(users, languages, random, now)
    return users


def _make_contacts(users: list[Any], languages: list[str], random: Random, now: datetime) -> None:
    persons = [
        Person(
            user_id=user.pk,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            language=language,
            time_zone=random.choice(_ZONES[language]),
            email_verified=True,
        )
        for user, language in zip(users, languages, strict=True)
    ]
    ids = contacts.resolve_many([(person, settings.SITE_ID) for person in persons], now)
    points = dict(
        ContactPoint.objects.filter(contact_id__in=ids, channel="email").values_list(
            "contact_id", "point_hash"
        )
    )
    lines = []
    for user, language, contact_id in zip(users, languages, ids, strict=True):
        wants_letters = user.username == CUSTOMER.role or random.random() < 0.8
        if contact_id not in points or not wants_letters:
            continue
        lines.append(
            consent.Line(
                channel="email",
                point_hash=points[contact_id],
                topic="offers",
                action=ConsentAction.GRANT,
                basis=ConsentBasis.CONSENT,
                contact_id=contact_id,
                text=_OPT_IN_TEXT[language],
                text_version="sandbox-1",
                language=language,
                source="registration",
                occurred_at=user.date_joined,
                dedup_key=f"sandbox:{user.username}",
            )
        )
    consent.write_many(lines, now)
