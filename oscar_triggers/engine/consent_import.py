"""Consents that were collected elsewhere, read from a CSV file into the ledger, all or none."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import TextIO

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ..conf import triggers_settings
from ..exceptions import Problem, ProblemsError
from ..models import ALL_TOPICS, ConsentAction, ConsentBasis, ConsentEvent, ContactPoint, point_hash
from ..models.sql import database_for
from ..policy import consent, suppressions
from ..policy.points import EMAIL, SMS, normalise

REQUIRED = ("topic", "action", "basis", "text", "occurred_at")
OPTIONAL = ("email", "phone", "text_version", "language", "source")
#: How many lines one INSERT writes.
BATCH = 1000
#: How many problems are collected before reading stops.
MOST_PROBLEMS = 50
_SOURCE_LENGTH = 40
_VERSION_LENGTH = 60
_LANGUAGE_LENGTH = 20


class ImportProblems(ProblemsError):
    """A file that is not imported, with the lines that are wrong."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an import did, or would do."""

    read: int
    written: int
    #: Lines that were in the ledger already.
    known: int
    #: Different points of the file that stay suppressed whatever it says.
    suppressed: int


def read(file: TextIO, *, name: str, now: datetime) -> list[consent.Line]:
    """Read a whole file; raises ImportProblems naming lines, never addresses."""
    problems: list[Problem] = []
    lines: list[consent.Line] = []
    try:
        reader = csv.DictReader(file, delimiter=_delimiter(file), strict=True)
        _check_header(reader.fieldnames)
        for row in reader:
            if not any(value for value in row.values()):
                continue
            found = _row_problems(row, now)
            problems += [replace(p, where="file", line=reader.line_num) for p in found]
            if len(problems) >= MOST_PROBLEMS:
                break
            if not problems:
                lines.append(_line(row, name, now))
    except csv.Error as error:
        problems.append(Problem(message=f"This is no CSV: {error}.", where="file"))
    except UnicodeDecodeError:
        problems.append(Problem(message="Save the file as UTF-8.", where="file"))
    if problems:
        raise ImportProblems(problems)
    return lines


def write(
    lines: Sequence[consent.Line],
    now: datetime,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Append lines to the ledger in one transaction; read again, the same file adds nothing."""
    written = 0
    points: set[tuple[str, str]] = set()
    suppressed = 0
    with transaction.atomic(using=database_for(ConsentEvent)):
        for start in range(0, len(lines), BATCH):
            batch = lines[start : start + BATCH]
            written += consent.write_many(_with_contacts(batch), now)
            new = {(line.channel, line.point_hash) for line in batch} - points
            suppressed += len(suppressions.suppressed_among(new))
            points |= new
            if progress is not None:
                progress(start + len(batch))
        if dry_run:
            transaction.set_rollback(True, using=database_for(ConsentEvent))
    return Report(
        read=len(lines), written=written, known=len(lines) - written, suppressed=suppressed
    )


def _delimiter(file: TextIO) -> str:
    """Return what separates the columns: spreadsheets of half of Europe write semicolons."""
    header = file.readline()
    file.seek(0)
    return ";" if header.count(";") > header.count(",") else ","


def _check_header(given: Sequence[str] | None) -> None:
    columns = list(given or ())
    missing = [name for name in REQUIRED if name not in columns]
    if "email" not in columns and "phone" not in columns:
        missing.insert(0, "email (or phone)")
    unknown = [name for name in columns if name not in REQUIRED + OPTIONAL]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    messages = []
    if missing:
        messages.append(f"The first line has no column {', '.join(missing)}.")
    if unknown:
        known = ", ".join(REQUIRED + OPTIONAL)
        messages.append(f"Nobody knows the column {', '.join(unknown)} (known: {known}).")
    if twice:
        messages.append(f"The column {', '.join(twice)} stands there twice.")
    if messages:
        raise ImportProblems([Problem(message=m, where="file", line=1) for m in messages])


def _row_problems(row: Mapping[str | None, str | list[str] | None], now: datetime) -> list[Problem]:
    if None in row:
        return [Problem(message="There are more values than columns.")]
    if any(value is None for value in row.values()):
        return [Problem(message="There are fewer values than columns.")]
    values = {str(name): str(value) for name, value in row.items()}
    if any("\0" in value for value in values.values()):
        return [Problem(message="There is a NUL character, which no text has.")]
    said = [*_point_problems(values), *_value_problems(values), *_time_problems(values, now)]
    return [Problem(message=message) for message in said]


def _point_problems(values: Mapping[str, str]) -> list[str]:
    given = [(c, v) for c, v in _points(values) if v]
    if len(given) != 1:
        return ["Give either an e-mail address or a phone number."]
    channel, value = given[0]
    try:
        normalise(channel, value)
    except ValueError as error:
        return [str(error)]
    return []


def _value_problems(values: Mapping[str, str]) -> list[str]:
    said = []
    topics = [*triggers_settings().topics, ALL_TOPICS]
    if values["topic"] not in topics:
        said.append(f"topic must be one of {', '.join(topics)}.")
    if values["action"] not in ConsentAction.values:
        said.append(f"action must be one of {', '.join(ConsentAction.values)}.")
    if values["basis"] not in ConsentBasis.values:
        said.append(f"basis must be one of {', '.join(ConsentBasis.values)}.")
    spoken = (values["action"], values["basis"]) == (ConsentAction.GRANT, ConsentBasis.CONSENT)
    if spoken and not values["text"].strip():
        said.append("text is empty: a consent needs the words that the person agreed to.")
    for name, length in (
        ("source", _SOURCE_LENGTH),
        ("text_version", _VERSION_LENGTH),
        ("language", _LANGUAGE_LENGTH),
    ):
        if len(values.get(name, "")) > length:
            said.append(f"{name} is longer than {length} characters.")
    return said


def _time_problems(values: Mapping[str, str], now: datetime) -> list[str]:
    moment = _moment(values["occurred_at"])
    if moment is None:
        return ["occurred_at must be a date and time such as 2026-03-31T14:05:00+02:00."]
    if moment > now:
        return ["occurred_at is in the future."]
    return []


def _moment(text: str) -> datetime | None:
    """Read a moment; without an offset it is in the shop's time zone."""
    try:
        moment = parse_datetime(text.strip())
        if moment is None:
            day = parse_date(text.strip())
            moment = datetime.combine(day, time.min) if day is not None else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _points(values: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (EMAIL, values.get("email", "").strip()),
        (SMS, values.get("phone", "").strip()),
    ]


def _line(
    row: Mapping[str | None, str | list[str] | None], name: str, now: datetime
) -> consent.Line:
    values = {str(key): str(value) for key, value in row.items()}
    channel, value = next((c, v) for c, v in _points(values) if v)
    hash_ = point_hash(channel, normalise(channel, value))
    moment = _moment(values["occurred_at"]) or now
    what = (
        channel,
        hash_,
        values["topic"],
        values["action"],
        values["basis"],
        moment.isoformat(),
        values["text"],
    )
    digest = hashlib.sha256("\0".join(what).encode()).hexdigest()[:40]
    return consent.Line(
        channel=channel,
        point_hash=hash_,
        topic=values["topic"],
        action=ConsentAction(values["action"]),
        basis=ConsentBasis(values["basis"]),
        text=values["text"],
        text_version=values.get("text_version", ""),
        language=values.get("language", ""),
        source=values.get("source", "") or "import",
        source_detail=name[:200],
        occurred_at=moment,
        dedup_key=f"import:{digest}",
    )


def _with_contacts(lines: Sequence[consent.Line]) -> list[consent.Line]:
    """Name the contacts that are known; nobody becomes a contact by an import."""
    points = ContactPoint.objects.filter(
        point_hash__in={line.point_hash for line in lines}
    ).values_list("channel", "point_hash", "contact_id")
    known = {(channel, hash_): contact_id for channel, hash_, contact_id in points}
    return [replace(line, contact_id=known.get((line.channel, line.point_hash))) for line in lines]
