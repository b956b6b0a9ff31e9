"""Letters per second through the whole path, beside bare smtplib and django-post_office.

The path: claim what is due, judge consent, read the basket, fill the letter, mark it under the
guards, hand it over by SMTP, write what came of it and why. Rounds are interleaved; a line for each
floor says whether it was reached. What is printed is Markdown: `> table.md` keeps it.
"""

from __future__ import annotations

import logging
import os
import re
import smtplib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from benchmarks import basket_letter
from benchmarks.stage import (
    Watch,
    fresh_database,
    on_each_database,
    per_unit,
    ratio,
    settle,
    side_by_side,
    table,
)

LETTERS = int(os.environ.get("BENCHMARK_LETTERS", "1000"))
ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "3"))

#: (group, workers): how many times as fast as the peer, and which share of the limit's pace, at
#: least; the goal for the share at group 20 is 0.7.
FLOORS = {(1, 1): (5.0, 0.35), (1, 2): (5.0, 0.35), (20, 1): (8.0, 0.5), (20, 2): (8.0, 0.5)}

DJANGOS = "django.core.mail.backends.smtp.EmailBackend"
OURS = "oscar_triggers.builtin.smtp.EmailBackend"


def plan() -> None:
    """Let fresh customers leave baskets, about each of which one letter is due."""
    basket_letter.plan(LETTERS)


def send_all() -> None:
    from django.utils import timezone

    from oscar_triggers.engine import outbox

    sent = 0
    while done := outbox.send_due(timezone.now() + timedelta(seconds=5)):
        sent += done
    assert sent == LETTERS, sent


def forget() -> None:
    """Empty our tables and the shop's, so that every round sees the same."""
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0)


class Caught:
    """The bytes and the readable form of one round's letters, for the contestants."""

    def __init__(self) -> None:
        self.wire: list[tuple[str, str, bytes]] = []
        self.letters: list[dict[str, str]] = []

    def catch(self) -> None:
        """Send a round and keep what went out."""
        from oscar_triggers.builtin.smtp import EmailBackend
        from oscar_triggers.engine import reading
        from oscar_triggers.models import Message

        original = EmailBackend.send_ready

        def send_ready(
            backend: Any, sender: str, recipient: str, data: bytes, has_dots: bool = True
        ) -> Any:
            self.wire.append((sender, recipient, data))
            return original(backend, sender, recipient, data, has_dots)

        EmailBackend.send_ready = send_ready
        try:
            send_all()
        finally:
            EmailBackend.send_ready = original
        for message in Message.objects.select_related("template_version"):
            letter = reading.letter_of(message)
            assert letter is not None
            self.letters.append(
                {"subject": letter.subject, "message": letter.text, "html_message": letter.html}
            )


def bare_smtplib(letters: Sequence[tuple[str, str, Any]], port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for sender, recipient, data in letters:
            connection.sendmail(sender, [recipient], data)


def _as_text(caught: Caught) -> list[tuple[str, str, str]]:
    """Return the letters as `sendmail` takes them from whoever gives it a str: it encodes them."""
    return [(sender, to, data.decode("ascii")) for sender, to, data in caught.wire]


def _send_as_one_of_two(number: int) -> None:
    from django.utils import timezone

    from oscar_triggers.engine import outbox

    while outbox.send_due(timezone.now() + timedelta(seconds=5)):
        pass


def _send_with_two() -> None:
    from oscar_triggers.models import Dispatch, DispatchState

    side_by_side(2, _send_as_one_of_two)
    sent = Dispatch.objects.filter(state=DispatchState.SENT).count()
    assert sent == LETTERS, sent


def _template_for_post_office() -> None:
    """Keep the same letter as post_office's template: then it fills at the delivery, as we do."""
    from post_office.models import EmailTemplate

    EmailTemplate.objects.all().delete()
    text, html = django_template()
    subject = "You left something in your basket"
    EmailTemplate.objects.create(name="basket", subject=subject, content=text, html_content=html)


def django_template() -> tuple[str, str]:
    """Return the benchmark's letter, text and HTML, in Django's template language."""
    from mjml import mjml2html

    html = mjml2html(basket_letter.BODY.replace('|truncate:"120"', ""))
    text = re.sub(r"<[^>]+>", " ", html[html.index("<body") :])
    return re.sub(r"\s+", " ", text), html


def _queue_to_fill_at_post_office(caught: Caught) -> None:
    from post_office import mail

    money = "€12.50"
    line = {"title": "Copper kettle", "quantity": 2, "unit_price": money, "line_price": money}
    line |= {"url": "https://shop.example/catalogue/copper-kettle_1/"}
    context = {
        "basket": {"lines": [line] * basket_letter.PRODUCTS, "total": money},
        "contact": {"first_name": "Anna"},
        "shop": {"name": "Kettle & Pine", "url": "https://shop.example"},
        "links": {"basket": "https://shop.example/b/", "unsubscribe": "https://shop.example/u/"},
    }
    _template_for_post_office()
    mail.send_many(
        [
            {
                "sender": "shop@example.com",
                "recipients": [f"b{n}@example.com"],
                "template": "basket",
                "context": context,
                "render_on_delivery": True,
            }
            for n, _letter in enumerate(caught.letters)
        ]
    )


def _queue_at_post_office(caught: Caught) -> None:
    from post_office import mail

    mail.send_many(
        [
            {"sender": "shop@example.com", "recipients": [f"b{n}@example.com"], **letter}
            for n, letter in enumerate(caught.letters)
        ]
    )


def _post_office(processes: int = 1) -> None:
    from django.db import connections
    from post_office import mail

    sent = 0
    while sent < LETTERS:
        more, failed, _requeued = mail.send_queued(processes=processes)
        assert more, failed
        sent += more
        if processes > 1:
            connections.close_all()  # its children shared ours


def _with_backend(backend: str, watch: Watch, *, group: int = 1, workers: int = 1) -> None:
    from django.conf import settings
    from django.test import override_settings

    forget()
    plan()
    settle()
    ours = {**settings.OSCAR_TRIGGERS, "HAND_OVER_GROUP": group, "PREPARE_STATEMENTS": True}
    with override_settings(EMAIL_BACKEND=backend, OSCAR_TRIGGERS=ours):
        watch.time(send_all if workers == 1 else _send_with_two)


def run() -> None:
    """Run all contestants in turn on one database and print the ratios."""
    from tests.storm.sink import running_sink

    with running_sink(None) as sink:
        os.environ["SMTP_PORT"] = str(sink.port)
        with fresh_database() as vendor:
            logging.disable(logging.INFO)  # post_office says what it does
            caught = Caught()
            plan()
            caught.catch()
            ours, grouped, pair, grouped_pair, standard = (Watch() for _ in range(5))
            bare, text, bare_pair = (Watch() for _ in range(3))
            peer, filling, filling_pair, queueing = (Watch() for _ in range(4))
            _with_backend(OURS, Watch(), group=20)  # what a process learns once is learnt
            written = _as_text(caught)
            halves = [caught.wire[0::2], caught.wire[1::2]]
            for _round in range(ROUNDS):
                _with_backend(OURS, ours)
                _with_backend(OURS, grouped, group=20)
                bare.time(lambda: bare_smtplib(caught.wire, sink.port))
                text.time(lambda: bare_smtplib(written, sink.port))
                _with_backend(OURS, pair, workers=2)
                _with_backend(OURS, grouped_pair, group=20, workers=2)
                bare_pair.time(
                    lambda: side_by_side(2, lambda n: bare_smtplib(halves[n], sink.port))
                )
                _with_backend(DJANGOS, standard)
                queueing.time(lambda: _queue_at_post_office(caught))
                settle()
                peer.time(_post_office)
                _queue_to_fill_at_post_office(caught)
                settle()
                filling.time(_post_office)
                _queue_to_fill_at_post_office(caught)
                settle()
                filling_pair.time(lambda: _post_office(processes=2))
            size = sum(len(data) for *_, data in caught.wire) / len(caught.wire)
            print(
                f"### {vendor}: {ROUNDS} rounds of {LETTERS} letters of {size / 1000:.0f} kB\n",
                flush=True,
            )
            rows = [
                ("whole path, group 1", ours),
                ("whole path, group 20", grouped),
                ("whole path, group 1, 2 workers", pair),
                ("whole path, group 20, 2 workers", grouped_pair),
                ("whole path, Django's SMTP backend, group 1", standard),
                ("bare smtplib, ready bytes (limit)", bare),
                ("bare smtplib, given a str, which it encodes", text),
                ("bare smtplib, ready bytes, 2 processes", bare_pair),
                ("post_office, filled when queued (peer)", peer),
                ("post_office, filled at the delivery, as ours (peer)", filling),
                ("post_office, filled at the delivery, 2 processes", filling_pair),
                ("post_office queueing before that", queueing),
            ]
            table(
                [
                    "",
                    "µs a letter",
                    "CPU µs a letter",
                    "letters/s",
                    "group 1 is × faster",
                    "× CPU",
                    "group 20 is × faster",
                    "× CPU",
                ],
                [
                    (
                        name,
                        per_unit(watch.wall, LETTERS),
                        per_unit(watch.cpu, LETTERS),
                        f"{LETTERS / sorted(watch.wall)[len(watch.wall) // 2]:,.0f}",
                        f"{ratio(ours.wall, watch.wall):.2f}",
                        f"{ratio(ours.cpu, watch.cpu):.2f}",
                        f"{ratio(grouped.wall, watch.wall):.2f}",
                        f"{ratio(grouped.cpu, watch.cpu):.2f}",
                    )
                    for name, watch in rows
                ],
            )
            _tell_floors(
                vendor,
                {(1, 1): ours, (20, 1): grouped, (1, 2): pair, (20, 2): grouped_pair},
                peers={1: filling, 2: filling_pair},
                limits={1: bare, 2: bare_pair},
            )


def _tell_floors(
    vendor: str,
    contestants: Mapping[tuple[int, int], Watch],
    *,
    peers: Mapping[int, Watch],
    limits: Mapping[int, Watch],
) -> None:
    """Print a line for each floor: against the same number of workers, by wall time and CPU."""
    rows = []
    for (group, workers), watch in contestants.items():
        times, share = FLOORS[group, workers]
        peer, limit = peers[workers], limits[workers]
        found = {
            clock: (
                ratio(getattr(watch, clock), getattr(peer, clock)),
                ratio(getattr(watch, clock), getattr(limit, clock)),
            )
            for clock in ("wall", "cpu")
        }
        for clock, (faster, of_limit) in found.items():
            rows.append(
                (
                    f"{vendor}, group {group}, {workers} worker(s), {clock}",
                    f"{faster:.1f} × ({times:.0f})",
                    "reached" if faster >= times else "not reached",
                    f"{of_limit:.2f} ({share})",
                    "reached" if of_limit >= share else "not reached",
                )
            )
    table(["floor", "post_office", "", "of bare smtplib", ""], rows)


if __name__ == "__main__":
    on_each_database("benchmarks.letters", run)
