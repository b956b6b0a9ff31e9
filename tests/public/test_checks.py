"""What is said before anything goes wrong, and what the doctor finds when it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import django
import pytest
from django.core import checks as django_checks
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from oscar_triggers import checks, conf
from oscar_triggers.engine import contacts, sweeping
from oscar_triggers.insight import health
from oscar_triggers.models import (
    Dispatch,
    Enrollment,
    FlowVersion,
    JournalEntry,
    Pulse,
)
from oscar_triggers.snapshots import Person
from tests.mail import use_backend, use_email_settings
from tests.policy.rows import enroll, make_flow, plan_message

COMPLETE = {
    "ENVIRONMENT": "production",
    "ALARMS": {},
    "BASE_URL": "https://shop.example",
    "SHOP_NAME": "Kettle & Pine",
    "POSTAL_ADDRESS": "1 Mill Lane, York",
    "SENDERS": {
        "promotional": {"from_email": "news@shop.example"},
        "transactional": {"from_email": "orders@shop.example"},
    },
}
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def found(**overrides: Any) -> set[str]:
    """Return the ids of what the checks say with these settings."""
    given = {"OSCAR_TRIGGERS": COMPLETE, **overrides}
    with override_settings(**given):
        messages = django_checks.run_checks(tags=[checks.TAG])
    return {str(message.id).removeprefix("oscar_triggers.") for message in messages}


def with_options(**options: Any) -> dict[str, Any]:
    return {**COMPLETE, **options}


def test_complete_settings_are_left_in_peace() -> None:
    assert found() == set()


def test_the_checks_never_ask_the_database(db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        found()
    assert len(queries) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"BASE_URL": ""}, "W002"),
        ({"BASE_URL": "http://shop.example"}, "W003"),
        ({"BASE_URL": "https://a-shop-with-a-very-long-name-indeed.department.example"}, "W004"),
        ({"BASE_URL": "https://bücher.example"}, "W005"),
        ({"TOPICS": {}}, "E006"),
        ({"TOPICS": {"*": "Everything"}}, "E006"),
        ({"TOPICS": {"a:b": "Colon"}}, "E006"),
        ({"TOPICS": {"x" * 61: "Long"}}, "E006"),
        ({"POSTAL_ADDRESS": ""}, "W007"),
        ({"SENDERS": {"promotional": {"from_email": "webmaster@localhost"}}}, "W008"),
        ({"BASE_URL": "https://shop.example/"}, "E001"),
        ({"NO_SUCH_KEY": 1}, "E001"),
        ({"BASE_URL": "https://shop.example/path"}, "E001"),
        ({"BASE_URL": "https:///x"}, "E001"),
        ({"BASE_URL": 5}, "E001"),
        ({"SOFT_OPT_IN": "False"}, "E001"),
        ({"PREPARE_STATEMENTS": "no"}, "E001"),
        ({"TICK_EVERY": 5}, "E001"),
        ({"LEASE_FOR": timedelta(0)}, "E001"),
        ({"BATCH_SIZE": "100"}, "E001"),
        ({"BATCH_SIZE": True}, "E001"),
        ({"RETRY_AFTER": (60,)}, "E001"),
        ({"HEALTH_TOKEN": None}, "E001"),
        ({"PHONE_REGION": "+49"}, "E001"),
        ({"RATES": "20/s"}, "E001"),
        ({"RATES": {"emial": "20/s"}}, "W061"),
        ({"SENDERS": {"promo": {"from_email": "a@shop.example"}}}, "E001"),
        ({"SENDERS": {"promotional": "a@shop.example"}}, "E001"),
        ({"SITES": {"1": {"base_url": "https://shop.example"}}}, "E001"),
        ({"SITES": {1: {"name": "Second"}}}, "E001"),
        ({"SITES": {1: {"time_zone": "Europe/Berlni"}}}, "W009"),
        ({"SITES": {2: {"base_url": "http://second.example"}}}, "W003"),
    ],
)
def test_each_gap_in_the_settings_is_named(options: dict[str, Any], said: str) -> None:
    assert said in found(OSCAR_TRIGGERS=with_options(**options))


def test_a_shop_on_the_desk_needs_no_https() -> None:
    plain = with_options(BASE_URL="http://shop.example", POSTAL_ADDRESS="")
    assert found(OSCAR_TRIGGERS=plain, DEBUG=True) == set()
    assert found(OSCAR_TRIGGERS=with_options(BASE_URL="http://localhost:8000")) == set()


@pytest.mark.filterwarnings("ignore:The EMAIL_::pytest_django")
@pytest.mark.parametrize("use", [use_backend, use_email_settings])
def test_a_mail_server_without_a_timeout_is_named(settings: Any, use: Callable[..., None]) -> None:
    use(settings, SMTP, host="127.0.0.1", timeout=None)
    assert found() == {"W010"}
    use(settings, SMTP, host="127.0.0.1", timeout=20)
    assert found() == set()


@pytest.mark.parametrize("value", [None, [], "production"])
def test_settings_that_are_no_dictionary_are_named(value: Any) -> None:
    assert "E001" in found(OSCAR_TRIGGERS=value)


@pytest.mark.filterwarnings("ignore:The EMAIL_::pytest_django")
@pytest.mark.parametrize("use", [use_backend, use_email_settings])
def test_a_mail_server_that_is_waited_for_longer_than_a_lease_is_named(
    settings: Any, use: Callable[..., None]
) -> None:
    use(settings, SMTP, host="127.0.0.1", timeout=90)
    assert found() == {"E060"}


def test_our_mail_backend_has_a_timeout_of_its_own(settings: Any) -> None:
    use_backend(settings, "oscar_triggers.builtin.smtp.EmailBackend", timeout=None)
    assert found() == set()


@pytest.mark.skipif(django.VERSION < (6, 1), reason="MAILERS came with Django 6.1")
def test_every_mailer_without_a_timeout_is_named(settings: Any) -> None:
    settings.MAILERS = {
        "default": {"OPTIONS": {"host": "127.0.0.1", "timeout": 20}},
        "bulk": {"OPTIONS": {"host": "127.0.0.1"}},
    }
    [said] = checks.check_mail()
    assert "MAILERS['bulk']" in said.msg


def test_a_shop_without_basket_middleware_or_addresses_is_told(settings: Any) -> None:
    without = [m for m in settings.MIDDLEWARE if not m.endswith("BasketMiddleware")]
    assert found(MIDDLEWARE=without) == {"W030"}
    assert found(ROOT_URLCONF="tests.public.empty_urls") == {"W031"}


def sqlite(**config: Any) -> dict[str, Any]:
    good = {
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode = WAL;",
    }
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": "x", "OPTIONS": good, **config}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (sqlite(), set()),
        (sqlite(OPTIONS={}), {"W021"}),
        (sqlite(OPTIONS={"transaction_mode": "IMMEDIATE"}), {"W021"}),
        (sqlite(OPTIONS={"init_command": "PRAGMA journal_mode=WAL"}), {"W021"}),
        (sqlite(ATOMIC_REQUESTS=True), {"W022"}),
        ({"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}, set()),
        ({"ENGINE": "django.db.backends.mysql"}, {"E020"}),
    ],
)
def test_the_database_is_checked_by_its_settings(
    monkeypatch: pytest.MonkeyPatch, settings: Any, config: dict[str, Any], said: set[str]
) -> None:
    monkeypatch.setitem(settings.DATABASES, "default", config)
    assert found() == said


def test_another_package_that_calls_itself_mjml_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "django_mjml-1.4.dist-info").mkdir()
    (tmp_path / "django_mjml-1.4.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: django-mjml\nVersion: 1.4\n"
    )
    assert found() == set()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert found() == {"E040"}


# ── The doctor ───────────────────────────────────────────────────────────────────────────────────


def doctor(*arguments: str) -> tuple[int, str]:
    """Return the exit code and what the doctor says."""
    out = StringIO()
    with override_settings(OSCAR_TRIGGERS=COMPLETE):
        try:
            call_command("triggers_doctor", *arguments, stdout=out, no_color=True)
        except SystemExit as leaving:
            return int(str(leaving.code)), out.getvalue()
    return 0, out.getvalue()


def tick() -> None:
    """Write the pulses as the clockwork would."""
    now = timezone.now()
    for name in ["tick", *(f"sweep:{name}" for name in sweeping.registry)]:
        Pulse.objects.update_or_create(name=name, defaults={"ran_at": now})


@pytest.fixture
def live() -> FlowVersion:
    """Return the version of a live transactional flow that can run."""
    flow = make_flow("order-news", stream="transactional", trigger="order_placed")
    assert flow.live_version is not None
    return flow.live_version


@pytest.mark.django_db
def test_a_shop_where_no_flow_is_live_is_well() -> None:
    code, said = doctor()
    assert code == 0
    assert "Inert: no flow is live" in said


@pytest.mark.django_db
def test_a_shop_where_everything_runs_is_well(live: FlowVersion) -> None:
    tick()
    code, said = doctor("--strict")
    assert (code, "All is well." in said) == (0, True), said


@pytest.mark.django_db
def test_a_live_flow_without_a_clock_is_wrong(live: FlowVersion) -> None:
    code, said = doctor()
    assert code == 1
    assert "never ticked" in said
    assert "triggers_run" in said


@pytest.mark.django_db
def test_a_clock_that_stopped_is_wrong(live: FlowVersion) -> None:
    tick()
    Pulse.objects.filter(name="tick").update(ran_at=timezone.now() - timedelta(hours=2))
    code, said = doctor()
    assert code == 1
    assert "stands still" in said
    assert "2\xa0hours" in said


def _unrouted() -> None:
    ago = timezone.now() - timedelta(hours=1)
    JournalEntry.objects.create(kind="x", dedup_key="x", occurred_at=ago, recorded_at=ago)


def _unreadable() -> None:
    ago = timezone.now()
    JournalEntry.objects.create(
        kind="gone", dedup_key="x", occurred_at=ago, recorded_at=ago, error="No installed app"
    )


def _late_message() -> None:
    contact = contacts.resolve(Person(email="anna@example.com"), now=timezone.now())
    plan_message(enroll(make_flow("f"), contact, "basket:1:1"), "anna@example.com")
    Enrollment.objects.update(due_at=timezone.now())
    Dispatch.objects.update(due_at=timezone.now() - timedelta(days=1))


def _abandoned_lease() -> None:
    _late_message()
    Dispatch.objects.update(state="leased", leased_until=timezone.now() - timedelta(hours=1))


def _held() -> None:
    contact = contacts.resolve(Person(email="anna@example.com"), now=timezone.now())
    enroll(make_flow("f"), contact, "basket:1:1", state="held")


def _broken_sweep() -> None:
    Pulse.objects.filter(name__startswith="sweep:").update(detail={"error": "KeyError"})


def _flow_of_a_gone_app() -> None:
    version = FlowVersion.objects.get()
    definition = {**version.definition, "trigger": {"kind": "event_of_a_gone_app"}}
    FlowVersion.objects.update(definition=definition)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (_unrouted, "1 event waits"),
        (_unreadable, "1 event “gone” could not be read: No installed app"),
        (_late_message, "1 message is overdue"),
        (_abandoned_lease, "1 message was left behind"),
        (_held, "1 person is held in “f”"),
        (_broken_sweep, "fails with KeyError"),
        (_flow_of_a_gone_app, "event_of_a_gone_app"),
    ],
)
def test_the_doctor_names_what_is_stuck(
    live: FlowVersion, break_it: Callable[[], None], words: str
) -> None:
    tick()
    break_it()
    code, said = doctor()
    assert code == 1
    assert words in said


@pytest.mark.django_db
def test_messages_that_failed_are_worth_a_look_but_not_wrong(live: FlowVersion) -> None:
    tick()
    _late_message()
    Enrollment.objects.update(state="ended", due_at=None)
    Dispatch.objects.update(state="dead", settled_at=timezone.now(), detail="550 refused")
    code, said = doctor()
    assert code == 0
    assert "1 message failed in the last week. The last one: 550 refused" in said
    assert doctor("--strict")[0] == 1


@pytest.mark.django_db
def test_a_promotional_flow_that_may_write_to_nobody_is_worth_a_look() -> None:
    make_flow("left-basket")
    tick()
    said = "\n".join(finding.text for finding in health.examine(timezone.now()))
    assert "Nobody has opted in yet" in said


def test_settings_are_read_again_after_a_test_changed_them() -> None:
    with override_settings(OSCAR_TRIGGERS={"SHOP_NAME": "Other"}):
        assert conf.triggers_settings().shop_name == "Other"
    assert conf.triggers_settings().shop_name != "Other"
