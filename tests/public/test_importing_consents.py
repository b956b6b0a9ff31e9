"""Consents from elsewhere: all of a file or nothing of it, and never twice."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from oscar_triggers.engine import contacts
from oscar_triggers.models import ConsentEvent, SuppressionReason, point_hash
from oscar_triggers.policy import consent, suppressions, verdicts
from oscar_triggers.snapshots import Person

HEADER = "email,topic,action,basis,text,text_version,occurred_at,source"
ANNA = "Anna@Example.com,offers,grant,consent,Yes please,v1,2026-03-31T14:05:00+02:00,fair"
BELLA = "bella@example.com,*,withdraw,consent,,,2026-04-01,desk"

pytestmark = pytest.mark.django_db

Import = Callable[..., str]


@pytest.fixture
def importing(tmp_path: Path) -> Import:
    """Return a function that writes a file, imports it and returns what was printed."""

    def run(
        *lines: str, header: str = HEADER, encoding: str = "utf-8", dry_run: bool = False
    ) -> str:
        path = tmp_path / "consents.csv"
        path.write_bytes("\r\n".join([header, *lines]).encode(encoding))
        out, errors = StringIO(), StringIO()
        try:
            call_command(
                "triggers_import_consents",
                path,
                dry_run=dry_run,
                stdout=out,
                stderr=errors,
                no_color=True,
            )
        except CommandError as error:
            raise CommandError(f"{errors.getvalue()}{error}") from error
        return out.getvalue()

    return run


def test_a_good_file_is_in_the_ledger_with_its_proof(importing: Import) -> None:
    said = importing(ANNA, BELLA)
    assert "2 written, 0 were there already" in said
    line = ConsentEvent.objects.get(point_hash=point_hash("email", "anna@example.com"))
    assert (line.text, line.text_version, line.source) == ("Yes please", "v1", "fair")
    assert line.source_detail == "consents.csv"
    assert line.occurred_at.isoformat() == "2026-03-31T12:05:00+00:00"
    state = consent.state("email", line.point_hash, "offers")
    assert state is not None
    assert state.allowed


def test_importing_a_file_again_adds_nothing(importing: Import) -> None:
    importing(ANNA, BELLA)
    assert "0 written, 2 were there already" in importing(ANNA, BELLA)
    assert "1 written, 2 were there already" in importing(
        ANNA, BELLA, BELLA.replace("bella", "cara")
    )
    assert ConsentEvent.objects.count() == 3


def test_a_file_with_one_bad_line_is_not_imported_at_all(importing: Import) -> None:
    with pytest.raises(CommandError) as refused:
        importing(ANNA, "no address,offers,grant,consent,Yes,v1,2026-03-31,fair", BELLA)
    assert "file, line 3: This is not an e-mail address." in str(refused.value)
    assert "no address" not in str(refused.value), "problems name lines, never what stands there"
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (ANNA.replace("offers", "gossip"), "topic must be one of"),
        (ANNA.replace("grant", "maybe"), "action must be one of grant, withdraw"),
        (ANNA.replace("consent", "hearsay"), "basis must be one of"),
        (ANNA.replace("Yes please", "  "), "text is empty"),
        (ANNA.replace("2026-03-31T14:05:00+02:00", "31.03.2026"), "occurred_at must be a date"),
        (ANNA.replace("2026-03-31", "2026-13-31"), "occurred_at must be a date"),
        (ANNA.replace("2026-03-31", "9026-03-31"), "occurred_at is in the future"),
        (ANNA.replace("Anna@Example.com", ""), "either an e-mail address or a phone number"),
        (ANNA.replace("fair", "f" * 41), "source is longer than 40"),
        (ANNA + ",more", "more values than columns"),
        ("anna@example.com,offers", "fewer values than columns"),
        (ANNA.replace("Yes please", '"Yes'), "no CSV"),
        (ANNA.replace("Yes please", "Yes\0"), "NUL"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(importing: Import, line: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        importing(line)
    assert said in str(refused.value)
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("email,topic", "no column action, basis, text, occurred_at"),
        ("topic,action,basis,text,occurred_at", "no column email (or phone)"),
        (HEADER + ",mood", "Nobody knows the column mood"),
        (HEADER + ",email", "stands there twice"),
        ("", "no column"),
    ],
)
def test_a_wrong_first_line_is_said(importing: Import, header: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        importing(ANNA, header=header)
    assert said in str(refused.value)


def test_many_bad_lines_do_not_fill_the_screen(importing: Import) -> None:
    with pytest.raises(CommandError) as refused:
        importing(*["x"] * 5000)
    assert "at least 50 problems" in str(refused.value)


def test_files_of_spreadsheets_are_read(importing: Import) -> None:
    semicolons = [text.replace(",", ";") for text in (HEADER, ANNA)]
    assert "1 written" in importing(semicolons[1], header=semicolons[0], encoding="utf-8-sig")
    with pytest.raises(CommandError, match="UTF-8"):
        importing(ANNA.replace("Yes please", "Да"), encoding="cp1251")


def test_a_dry_run_says_what_would_happen_and_does_nothing(importing: Import) -> None:
    assert "2 would be written" in importing(ANNA, BELLA, dry_run=True)
    assert not ConsentEvent.objects.exists()


def test_who_is_suppressed_stays_suppressed(importing: Import) -> None:
    hash_ = point_hash("email", "anna@example.com")
    suppressions.suppress("email", hash_, SuppressionReason.COMPLAINT, timezone.now())
    assert "1 addresses stay suppressed" in importing(ANNA)
    request = verdicts.SendRequest(
        message_id=1,
        contact_id=1,
        channel="email",
        point_hash=hash_,
        stream="promotional",
        topic="offers",
    )
    assert verdicts.judge_many([request], timezone.now())[0].reason == "suppressed"


def test_an_older_consent_does_not_undo_a_later_withdrawal(importing: Import) -> None:
    importing(ANNA.replace("grant,consent,Yes please", "withdraw,consent,"))
    importing(ANNA.replace("2026-03-31", "2025-03-31"))
    state = consent.state("email", point_hash("email", "anna@example.com"), "offers")
    assert state is not None
    assert not state.allowed


def test_phones_are_consents_for_text_messages(importing: Import) -> None:
    importing(
        "+44 20 7946 0018,offers,grant,consent,Yes,,2026-03-31,fair",
        header=HEADER.replace("email", "phone"),
    )
    line = ConsentEvent.objects.get()
    assert (line.channel, line.point_hash) == ("sms", point_hash("sms", "+442079460018"))


def test_an_import_names_known_contacts_and_makes_no_new_ones(importing: Import) -> None:
    known = contacts.resolve(Person(email="anna@example.com"), now=timezone.now())
    importing(ANNA, BELLA)
    assert set(ConsentEvent.objects.values_list("contact_id", flat=True)) == {known, None}


def test_a_large_file_takes_a_constant_number_of_queries_for_each_thousand(
    importing: Import, django_assert_max_num_queries: Any
) -> None:
    lines = [ANNA.replace("Anna", f"anna{n}") for n in range(3000)]
    with django_assert_max_num_queries(3 * 3 + 4):
        importing(*lines)
    assert ConsentEvent.objects.count() == 3000
