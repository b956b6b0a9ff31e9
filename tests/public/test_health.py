"""What monitoring asks: the health page, its figures, the doctor as JSON, and the DNS."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core.management import call_command
from django.db import InterfaceError, InternalError, OperationalError
from django.test import Client
from django.utils import timezone

from oscar_triggers import checks
from oscar_triggers.engine import clockwork, installation
from oscar_triggers.insight import deliverability, health, metrics
from oscar_triggers.insight.findings import Level
from oscar_triggers.models import Breaker, Dispatch
from tests.storm.world import plan_cards, publish_card_flow

pytestmark = pytest.mark.django_db

TOKEN = "a-token-that-nobody-guesses"
ADDRESS = f"/t/health/{TOKEN}/"


@pytest.fixture
def say(settings: Any) -> Callable[..., None]:
    """Return a function that changes keys of OSCAR_TRIGGERS."""

    def change(**keys: Any) -> None:
        settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, **keys}

    change(HEALTH_TOKEN=TOKEN)
    return change


def _doctor() -> tuple[int, dict[str, Any]]:
    out = StringIO()
    try:
        call_command("triggers_doctor", "--json", "--no-dns", stdout=out)
    except SystemExit as leaving:
        return int(str(leaving.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_the_health_page_is_there_for_who_knows_its_address(
    client: Client, say: Callable[..., None]
) -> None:
    clockwork.tick()
    answer = client.get(ADDRESS)
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    assert "no-store" in answer["Cache-Control"]
    assert client.get("/t/health/another/").status_code == 404
    assert client.get("/t/health/tökén/").status_code == 404
    assert client.post(ADDRESS).status_code == 405
    say(HEALTH_TOKEN="")
    assert client.get(ADDRESS).status_code == 404
    assert client.get("/t/health//").status_code == 404


def test_the_health_page_says_by_its_status_that_messages_do_not_go_out(
    client: Client, say: Callable[..., None]
) -> None:
    publish_card_flow()
    plan_cards(2)
    clockwork.tick(send=False)
    assert client.get(ADDRESS).status_code == 200
    Dispatch.objects.update(due_at=timezone.now() - timedelta(hours=1))
    answer = client.get(ADDRESS)
    assert answer.status_code == 503
    assert "2 messages are overdue" in answer.content.decode()
    assert "person-" not in answer.content.decode()


def test_monitoring_reads_figures_and_none_of_them_names_a_person(
    client: Client, say: Callable[..., None]
) -> None:
    publish_card_flow()
    plan_cards(3)
    Dispatch.objects.update(due_at=timezone.now())
    Breaker.objects.create(name="email", state="open")
    answer = client.get(ADDRESS + "metrics")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert 'triggers_messages_due{lane="promotional"} 3.0' in text
    assert 'triggers_breaker_open{provider="email"} 1.0' in text
    assert 'triggers_pulse_age_seconds{part="tick"}' in text
    assert "example.com" not in text


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, InternalError])
def test_a_database_that_does_not_answer_is_said_and_not_raised(
    client: Client,
    say: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    def gone(now: object) -> None:
        raise error("server closed the connection")

    monkeypatch.setattr(health, "_missing_tables", lambda: gone(None))
    answer = client.get(ADDRESS)
    assert answer.status_code == 503
    assert "does not answer" in answer.content.decode()
    assert "server closed" not in answer.content.decode()


def test_without_prometheus_client_there_are_no_figures(
    client: Client, say: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "is_possible", lambda: False)
    assert client.get(ADDRESS + "metrics").status_code == 404


def test_the_doctor_says_it_for_programs_and_names_what_keeps_letters_at_home(
    say: Callable[..., None],
) -> None:
    publish_card_flow()
    clockwork.tick()
    assert _doctor()[0] == 0
    installation.stop(timezone.now(), reason="We look at something.")
    say(REDIRECT_ALL_TO="qa@example.com", ONLY_TO=["example.com"])
    code, said = _doctor()
    texts = " ".join(one["text"] for one in said["findings"] if one["level"] == "warning")
    assert code == 0
    assert "All sending was stopped" in texts
    assert "We look at something." in texts
    assert "REDIRECT_ALL_TO is on" in texts
    assert "qa@" not in json.dumps(said)
    say(ENVIRONMENT="staging")
    code, said = _doctor()
    assert (code, said["ok"]) == (1, False)
    assert "belongs to another installation" in json.dumps(said)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"ENVIRONMENT": ""}, "I050"),
        ({"ONLY_TO": ["nonsense"]}, "E051"),
        ({"REDIRECT_ALL_TO": "qa@example.com"}, "W052"),
        ({"REDIRECT_ALL_TO": "qa@example.com", "ONLY_TO": ["example.org"]}, "W052"),
        ({"ONLY_TO": ["example.org"]}, "W052"),
        ({"SENDING": False}, "W053"),
        ({"ALARMS": {"pigeon": {}}}, "I054"),
        ({"ALARMS": {"webhook": {"url": "http://chat.example"}}}, "I054"),
        ({"HEALTH_TOKEN": "health"}, "W055"),
        ({"RETENTION": {"journal": "soon"}}, "E056"),
        ({"RETENTION": {"customers": "9d"}}, "E056"),
        ({"RETENTION": {"messages": "1d"}}, "E056"),
    ],
)
def test_the_checks_say_what_is_on_and_what_cannot_be_read(
    say: Callable[..., None], keys: dict[str, Any], expected: str
) -> None:
    say(**{"ENVIRONMENT": "production", "ALARMS": {}, **keys})
    found = {
        str(one.id).removeprefix("oscar_triggers.")
        for one in django_checks.run_checks(tags=[checks.TAG])
    }
    assert expected in found


# ── The DNS ──────────────────────────────────────────────────────────────────────────────────────

GOOD = {
    ("shop.co", "TXT"): ["google-site=1", "v=spf1 include:mail.net -all"],
    ("mail.net", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("_dmarc.shop.co", "TXT"): ["v=DMARC1; p=none"],
    ("shop.co", "MX"): ["10 mx.shop.co."],
}


def _asked(records: dict[tuple[str, str], list[str]]) -> list[Any]:
    return list(deliverability.examine(lambda name, kind: records.get((name, kind), [])))


def _without(*names: tuple[str, str]) -> dict[tuple[str, str], list[str]]:
    return {key: value for key, value in GOOD.items() if key not in names}


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (_without(("shop.co", "TXT")), "has no SPF record"),
        ({**GOOD, ("shop.co", "TXT"): ["v=spf1 -all", "v=spf1 a -all"]}, "2 SPF records"),
        ({**GOOD, ("shop.co", "TXT"): ["v=spf1 " + "a:x.org " * 11 + "-all"]}, "11 look-ups"),
        ({**GOOD, ("mail.net", "TXT"): ["v=spf1 include:mail.net " + "mx " * 9]}, "11 look-ups"),
        (_without(("_dmarc.shop.co", "TXT")), "no DMARC record"),
        (_without(("shop.co", "MX")), "takes no mail"),
    ],
)
def test_the_dns_of_the_senders_is_looked_at(
    say: Callable[..., None], records: dict[tuple[str, str], list[str]], words: str
) -> None:
    say(SENDERS={"promotional": {"from_email": "News <news@shop.co>"}})
    assert [one for one in _asked(GOOD) if one.level is not Level.OK] == []
    said = [one.text for one in _asked(records) if one.level is Level.WARNING]
    assert any(words in text for text in said), said


def test_a_dmarc_record_above_the_sender_counts(say: Callable[..., None]) -> None:
    say(SENDERS={"promotional": {"from_email": "news@mail.shop.co"}})
    records = {**GOOD, ("mail.shop.co", "TXT"): ["v=spf1 -all"], ("mail.shop.co", "A"): ["1.1.1.1"]}
    assert [one for one in _asked(records) if one.level is not Level.OK] == []


def test_without_a_network_the_doctor_finds_nothing_wrong(say: Callable[..., None]) -> None:
    say(SENDERS={"promotional": {"from_email": "news@shop.co"}})

    def silent(name: str, kind: str) -> list[str]:
        raise deliverability.NoDns(kind)

    assert [one.level for one in deliverability.examine(silent)] == [Level.OK]


def test_made_up_names_are_not_asked_about(say: Callable[..., None]) -> None:
    say(SENDERS={"promotional": {"from_email": "news@shop.example"}})
    assert deliverability.sender_domains() == []
    say(SENDERS={"promotional": {"from_email": "news@my-example.com"}})
    assert deliverability.sender_domains() == ["my-example.com"]
