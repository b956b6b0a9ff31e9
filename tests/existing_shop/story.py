"""What happens in the existing shop after the installation, chapter by chapter.

Run inside the project: `python -m tests.existing_shop CHAPTER`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery.beat import Scheduler
from celery.contrib.testing.worker import start_worker
from django.apps import apps
from django.contrib.sites.models import Site
from django.core import mail
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model
from shop.celery import app

from oscar_triggers.engine import clockwork
from oscar_triggers.models import BasketWatch, Flow, JournalEntry, Pulse

OURS = ("oscar_triggers", "wagtail_triggers")
PASSWORD = "tea-and-biscuits-4711"


def our_rows() -> dict[str, int]:
    """Count the rows of every table of ours that has any."""
    counts = {
        model._meta.label: model._default_manager.count()
        for label in OURS
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    }
    return {label: count for label, count in counts.items() if count}


def schema() -> dict[str, str]:
    """Return how each table, index and trigger that is not ours was made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        rows = cursor.fetchall()
    return {
        f"{kind} {name}": statement or ""
        for kind, name, table, statement in sorted(rows)
        if not table.startswith(OURS) and not table.startswith("sqlite_")
    }


def references() -> dict[str, list[str]]:
    """Return which tables each table of ours points to with a foreign key of the database."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith(OURS):
                cursor.execute(f"PRAGMA foreign_key_list({table})")
                found[table] = sorted({row[2] for row in cursor.fetchall()})
    return found


def look() -> dict[str, Any]:
    """Tell how the database is made."""
    return {"schema": schema(), "references": references()}


def inert() -> dict[str, Any]:
    """Let people shop and the clock tick before anything was published."""
    clockwork.tick()
    quiet = our_rows()
    visitor = Visitor("shop.example")
    visitor.add("enamel-mug")
    visitor.give_email("early@example.com")
    now = timezone.now()
    for hours in (0, 1, 2, 30):
        clockwork.tick(now + timedelta(hours=hours, minutes=1))
    time_passes(timedelta(hours=5))
    return {
        "rows_after_a_tick": quiet,
        "rows_after_shopping": our_rows(),
        "letters": len(getattr(mail, "outbox", [])),
    }


def basket_story() -> dict[str, Any]:
    """A member at site 1 and a guest at site 2 leave a basket; beat rings, a worker ticks."""
    member = Visitor("shop.example")
    member.register("anna@example.com")
    member.add("enamel-mug")
    guest = Visitor("outlet.example")
    guest.add("enamel-mug")
    guest.give_email("guest@example.com")
    bystander = Visitor("outlet.example")
    bystander.add("enamel-mug")
    bystander.give_email("no-letters@example.com", opt_in=False)
    before = len(mail.outbox)
    rings = [ring()]
    time_passes(timedelta(hours=2))
    rings += [ring(), ring()]
    letters = mail.outbox[before:]
    return {
        "rings": rings,
        "letters": [told(letter) for letter in letters],
        "journal_errors": list(JournalEntry.objects.exclude(error="").values_list("error")),
        "rows": our_rows(),
        "links": [guest.follow(letter) for letter in letters],
        "sites": list(Site.objects.order_by("pk").values_list("domain", flat=True)),
    }


def told(letter: Any) -> dict[str, Any]:
    """Return what matters of a letter in Anymail's outbox."""
    return {
        "to": letter.to,
        "from": letter.from_email,
        "reply_to": list(letter.reply_to),
        "subject": letter.subject,
        "unsubscribe": letter.extra_headers.get("List-Unsubscribe", ""),
        "metadata": letter.anymail_test_params.get("metadata", {}),
        "tags": letter.anymail_test_params.get("tags", []),
        "html": letter.alternatives[0][0],
        "text": letter.body,
    }


def time_passes(long: timedelta) -> None:
    """Make everything older, for all that the tables tell."""
    Line = get_model("basket", "Line")
    Line.objects.update(date_updated=F("date_updated") - long)
    BasketWatch.objects.update(changed_at=F("changed_at") - long)
    Flow.objects.update(active_since=F("active_since") - long)
    Pulse.objects.update(ran_at=F("ran_at") - long, position_at=F("position_at") - long)


def ring() -> dict[str, Any]:
    """Have the shop's beat ring once, and its worker answer; tell how the message travelled."""
    scheduler = Scheduler(app=app)
    entry = scheduler.schedule["oscar-triggers-tick"]
    route = app.amqp.router.route({}, entry.task)
    queue = route["queue"].name if "queue" in route else app.conf.task_default_queue
    scheduler.apply_entry(entry, producer=scheduler.producer)
    with app.connection_for_read() as broker:
        channel = broker.default_channel
        waiting = {
            name: channel.queue_declare(name, passive=False).message_count
            for name in ("shop", "stock")
        }
        message = app.amqp.queues[queue].bind(channel).get(no_ack=True)
        sent_as = {
            "task": message.headers["task"],
            "content_type": message.content_type,
            "expires": bool(message.headers["expires"]),
        }
    before = Pulse.objects.filter(name="tick").values_list("ran_at", flat=True).first()
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        # Now, and not before: on a busy machine a worker starts for longer than a ring is worth.
        scheduler.apply_entry(entry, producer=scheduler.producer)
        wait_for(lambda: ticked_since(before))
    return {"queue": queue, "waiting": waiting, **sent_as}


def ticked_since(moment: Any) -> bool:
    """Say whether a tick has ended after that moment."""
    ran_at = Pulse.objects.filter(name="tick").values_list("ran_at", flat=True).first()
    return ran_at is not None and ran_at != moment


def wait_for(happened: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something happened; raises TimeoutError."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError("The worker did not tick.")
        time.sleep(0.05)


class Visitor:
    """A person at the shop's pages, by real requests to one of its hosts."""

    def __init__(self, host: str) -> None:
        self.client = Client(SERVER_NAME=host, raise_request_exception=True)

    def add(self, slug: str) -> None:
        """Put a product into the basket."""
        product = get_model("catalogue", "Product").objects.get(slug=slug)
        response = self.client.post(f"/basket/add/{product.pk}/", {"quantity": 1})
        assert response.status_code == 302, response.status_code

    def give_email(self, email: str, *, opt_in: bool = True) -> None:
        """Begin the checkout as a guest, with the box ticked or not."""
        form = {"username": email, "options": "anonymous", **self._box("/checkout/", opt_in)}
        response = self.client.post("/checkout/", form)
        assert response.status_code == 302, response.content.decode()

    def register(self, email: str) -> None:
        """Open an account, with the box ticked."""
        form = {
            "email": email,
            "password1": PASSWORD,
            "password2": PASSWORD,
            **self._box("/accounts/register/", opt_in=True),
        }
        response = self.client.post("/accounts/register/", form)
        assert response.status_code == 302, response.content.decode()

    def _box(self, path: str, opt_in: bool) -> dict[str, str]:
        """Return the fields of the opt-in box as a browser would post them."""
        page = self.client.get(path).content.decode()
        fields = {}
        for tag in re.findall(r"<input[^>]*triggers_opt[^>]*>", page):
            name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
            assert name is not None, tag
            assert value is not None, tag
            if opt_in or 'type="hidden"' in tag:
                fields[name[1]] = value[1]
        assert any(name == "triggers_opt_in" for name in fields) is opt_in, fields
        return fields

    def follow(self, letter: Any) -> int:
        """Follow the letter's link back to the basket; return the status of where it ends."""
        link = re.search(r'href="(https://[^"]+/t/b/[^"]+)"', letter.alternatives[0][0])
        assert link is not None
        path = "/" + link[1].split("/", 3)[3]
        return int(self.client.get(path, follow=True).status_code)


CHAPTERS = {"look": look, "inert": inert, "baskets": basket_story}
